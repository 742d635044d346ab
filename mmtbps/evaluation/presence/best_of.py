r"""Law of the best of N strangers, by which a gallery of any size is reckoned with.

The larger a gallery, the better its best stranger fits. Known is, from one gallery of M strangers,
the best of n of them for every n up to M, exactly: the ordered scores have known weights in its
distribution. Its mean over n follows a power law, :math:`a - b n^{-c}`, the law of maxima of
variables that end somewhere (c near 0: that of those that do not), and by it it is continued. So is
its deviation, but not far below that of the largest gallery that was seen: sentences differ.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import lgamma

import numpy as np
from numpy.typing import NDArray

from mmtbps.errors import BadValue

from .split_normal import SplitNormal, fit_split_normal, split_normal_of

__all__ = ['PowerLaw', 'StrangerLaw', 'best_of_weights', 'fit_stranger_law']

Array = NDArray[np.floating]
_SMALLEST = 8
_CURVES = np.geomspace(.02, 2., 80)
#: Part of the deviation among the most strangers seen that is left among any number of them.
_STEADY = .8


@dataclass(frozen=True)
class PowerLaw:
    """A value that depends on the size of a gallery.

    Args:
        limit: Of the largest galleries.
        change: By which it is below the limit for one entry.
        curve: Speed at which it comes near.
        least: The value is at least this.

    Example:
        >>> PowerLaw(limit=1., change=.5, curve=.5)(np.array([1., 100.])).tolist()
        [0.5, 0.95]
    """

    limit: float
    change: float
    curve: float
    least: float = -np.inf

    def __call__(self, size: Array | float) -> Array:
        """Return the value at one or several sizes."""
        size = np.asarray(size, np.float64)
        return np.maximum(self.limit - self.change * size ** -self.curve, self.least)

    @classmethod
    def fit(cls, sizes: Array, values: Array, least: float = -np.inf) -> 'PowerLaw':
        """Fit by least squares."""
        best, chosen = np.inf, cls(float(values.mean()), 0., 1., least)
        for curve in _CURVES:
            columns = np.stack([np.ones(len(sizes)), -sizes ** -curve], 1)
            (limit, change), *_ = np.linalg.lstsq(columns, values, rcond=None)
            error = ((columns @ [limit, change] - values) ** 2).sum()
            if error < best:
                best, chosen = error, cls(float(limit), float(change), float(curve), least)
        return chosen


@dataclass(frozen=True)
class StrangerLaw:
    """Law of the evidence of the best of N strangers, by N.

    Args:
        mean: Of the split normal law.
        deviation: Of all of it.
        right_share: Share of the deviation above the mode in the sum of both.
    """

    mean: PowerLaw
    deviation: PowerLaw
    right_share: float = .5

    def of(self, size: Array | float) -> SplitNormal:
        """Return the law of the best of ``size`` strangers."""
        return split_normal_of(self.mean(size), self.deviation(size), self.right_share)


def best_of_weights(count: int, size: int) -> Array:
    r"""Compute the probability that each of M ordered values is the best of n drawn from them.

    For the j-th highest it is :math:`\binom{M - j}{n - 1} / \binom{M}{n}`.

    Args:
        count: M.
        size: n, from 1 to M.

    Returns:
        ``(M - n + 1,)``; the values below cannot be the best.

    Raises:
        BadValue: There are not so many.

    Example:
        >>> best_of_weights(3, 2).round(3).tolist()
        [0.667, 0.333]
    """
    if not 1 <= size <= count:
        raise BadValue(f'the best of {size} cannot be drawn from {count}')
    places = np.arange(1, count - size + 2)
    return np.exp([_log_choose(count - place, size - 1) for place in places]
                  - np.float64(_log_choose(count, size)))


def fit_stranger_law(evidence: Sequence[Array]) -> StrangerLaw:
    """Fit the law of the best of N strangers to the strangers of some queries.

    Args:
        evidence: For each query that of all strangers in a gallery; galleries of at least 16.

    Raises:
        BadValue: There are too few strangers to see how their best depends on the size.
    """
    fewest = min(map(len, evidence), default=0)
    if fewest < 2 * _SMALLEST:
        raise BadValue(f'a calibration needs at least {2 * _SMALLEST} pictures of strangers for '
                       f'each sentence, got {fewest}')
    generator = np.random.default_rng(0)  # where rows differ in length: any so many of each
    ordered = np.stack([np.sort(generator.permutation(row)[:fewest])[::-1] for row in evidence])
    sizes = np.unique(np.geomspace(_SMALLEST, fewest, 12).astype(int))
    means, deviations, shares = [], [], []
    for size in sizes.tolist():
        weights = best_of_weights(fewest, size)
        weights = weights[weights > 1e-6 * weights.max()]
        kept = ordered[:, :len(weights)]
        weights = np.broadcast_to(weights / weights.sum() / len(kept), kept.shape)
        means.append((kept * weights).sum())
        deviations.append(max((kept ** 2 * weights).sum() - means[-1] ** 2, 1e-12) ** .5)
        law = fit_split_normal(kept, weights)
        shares.append(law.right / (law.left + law.right))
    size = sizes.astype(float)
    return StrangerLaw(
        PowerLaw.fit(size, np.array(means)),
        PowerLaw.fit(size, np.array(deviations), _STEADY * min(deviations)),
        float(np.mean(shares[len(shares) // 2:])))


def _log_choose(total: int, chosen: int) -> float:
    return lgamma(total + 1) - lgamma(chosen + 1) - lgamma(total - chosen + 1)
