"""Random choice of negatives that a reader of captions alone cannot tell from the truth.

Whoever knows which coats are common needs no picture to prefer "a black coat and red shoes" to "a
red coat and black shoes", as long as negatives are drawn evenly. So a negative is proposed, and
accepted as the Metropolis-Hastings rule would accept it as the next state of a person: then the
true caption and its negative change places as often as not, for *any* scorer that sees the text
alone. Each of the two is the likelier one in half of the items.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

import numpy as np

__all__ = ['draw_negative']

State = TypeVar('State', bound=Hashable)


def draw_negative(state: State, neighbors: Callable[[State], Sequence[State]],
                  weight: Callable[[State], float], rng: np.random.Generator) -> State | None:
    """Draw a state in place of the true one, or none, so that the two are exchangeable.

    True states have to come as often as their weights say. Nobody may ask again where nothing was
    drawn: what is left over by the rule is no longer distributed as the weights say.

    Args:
        state: The true one.
        neighbors: States that may be proposed in place of one, all different from it. If one is a
            neighbor of another, so is the other of the one.
        weight: How often a state is true, on any scale.
        rng: Source of the choice.

    Returns:
        A neighbor of positive weight; ``None`` if none was accepted.

    Example:
        >>> rng, weights = np.random.default_rng(0), {'black': .75, 'red': .25}
        >>> def other(state): return ['red' if state == 'black' else 'black']
        >>> drawn = [draw_negative(true, other, weights.get, rng)
        ...          for true in ['black'] * 750 + ['red'] * 250]
        >>> drawn.count('black'), abs(drawn.count('red') - 250) < 30
        (250, True)
    """
    proposed = neighbors(state)
    if not proposed:
        return None
    other = proposed[int(rng.integers(len(proposed)))]
    ratio = weight(other) * len(proposed) / (weight(state) * len(neighbors(other)))
    return other if rng.random() < ratio else None
