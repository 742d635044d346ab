"""Visitors who mark what they are shown, simulated: where their target stands after each round."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

__all__ = ['Visit', 'simulate_visits']


class Visit(NamedTuple):
    """Ranks of a target before any mark, and after each round of marks.

    Args:
        ranks: From 1, of the target's best picture among those not yet marked.
        unmoved: The same with the marked ones out of the way and the query as it was.
    """

    ranks: tuple[int, ...]
    unmoved: tuple[int, ...]


def simulate_visits(queries: np.ndarray, images: np.ndarray, targets: np.ndarray,
                    likeness: Callable[[int], np.ndarray],
                    move: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
                    rounds: int = 2, shown: int = 10) -> list[Visit]:
    """Simulate visitors who mark what they are shown by its looks, and never the target itself.

    Each is shown the first pictures that are neither marked nor the target's, marks them right or
    wrong, and asks again. A visitor is lucky to meet the target sooner; here the target's pictures
    are kept from being shown, so that every round counts.

    Args:
        queries: ``(Q, D)`` unit features.
        images: ``(N, D)`` unit features.
        targets: ``(Q, N)`` bool, the pictures of each query's target.
        likeness: Of the number of a query: ``(N,)`` array with True for pictures that look right
            to its visitor.
        move: Of a ``(D,)`` query, the pictures marked right and those marked wrong: the new query.
        rounds: Of marks.
        shown: Pictures marked in a round.

    Returns:
        A visit a query.
    """
    visits = []
    for number, query in enumerate(np.asarray(queries, np.float32)):
        target, looks = np.asarray(targets[number], bool), np.asarray(likeness(number), bool)
        marked = np.zeros(len(images), bool)
        start = images @ query
        ranks, unmoved = [_rank(start, target, marked)], [_rank(start, target, marked)]
        asked = query
        for _ in range(rounds):
            scores = np.where(marked | target, -np.inf, images @ asked)
            first = np.argsort(-scores, kind='stable')[:shown]
            marked[first[np.isfinite(scores[first])]] = True
            asked = move(query, images[marked & looks], images[marked & ~looks])
            ranks.append(_rank(images @ asked, target, marked))
            unmoved.append(_rank(start, target, marked))
        visits.append(Visit(tuple(ranks), tuple(unmoved)))
    return visits


def _rank(scores: np.ndarray, target: np.ndarray, marked: np.ndarray) -> int:
    best = scores[target].max()
    return 1 + int(((scores > best) & ~target & ~marked).sum())
