"""Shares of right edits with the interval in which the truth lies."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ['Proportion', 'wilson_interval']

_Z = 1.959964    # two-sided 95 %


def wilson_interval(share: float, total: float, z: float = _Z) -> tuple[float, float]:
    """Compute the score interval of a share (E. B. Wilson, JASA 1927).

    It stays inside [0, 1] and says something for few tries, and for none or all of them.

    Args:
        share: Observed, in [0, 1].
        total: Number of tries; 0 gives (0, 1).
        z: Quantile of the normal distribution, by default for 95 %.

    >>> [round(bound, 3) for bound in wilson_interval(.9, 10)]
    [0.596, 0.982]
    """
    if total <= 0:
        return 0., 1.
    spread = z * z / total
    middle = (share + spread / 2) / (1 + spread)
    reach = z / (1 + spread) * math.sqrt(share * (1 - share) / total + spread / total / 4)
    return max(0., middle - reach), min(1., middle + reach)


@dataclass(frozen=True, slots=True)
class Proportion:
    """Share of tries that came out right.

    Args:
        right: Number of those.
        total: Number of tries.
        share: Of the right ones; other than ``right / total`` where tries stand for more or fewer.
        weight: Number of equal tries that say as much.
    """

    right: int
    total: int
    share: float
    weight: float

    @classmethod
    def of(cls, outcomes: Sequence[bool], weights: Sequence[float] | None = None) -> 'Proportion':
        """Count outcomes; a weight is the number of edits that one stands for.

        The number of equal tries that say as much is L. Kish's effective sample size.

        >>> print(Proportion.of([True, True, True, False]))
        75.0 % (30.1 to 95.4 %), 3 of 4
        >>> Proportion.of([True, False], [30, 10]).share
        0.75
        """
        weights = [1.] * len(outcomes) if weights is None else [float(w) for w in weights]
        total = sum(weights)
        if not total:
            return cls(0, 0, 0., 0.)
        share = sum(w for w, right in zip(weights, outcomes, strict=True) if right) / total
        return cls(sum(map(bool, outcomes)), len(outcomes), share,
                   total * total / sum(w * w for w in weights))

    @property
    def interval(self) -> tuple[float, float]:
        """Bounds of the 95 % Wilson interval."""
        return wilson_interval(self.share, self.weight)

    def __str__(self) -> str:
        if not self.total:
            return 'nothing to say, 0 of 0'
        low, high = self.interval
        return (f'{100 * self.share:.1f} % ({100 * low:.1f} to {100 * high:.1f} %), '
                f'{self.right} of {self.total}')
