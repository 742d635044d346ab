r"""Law of the best of N strangers, by which a gallery of any size is reckoned with.

The larger a gallery, the better its best stranger fits. Known are the best of galleries of several
sizes; their mean over N follows a power law, :math:`a - b N^{-c}`, the law of maxima of variables
that end somewhere (c near 0: that of those that do not), and by it it is continued. So is their
deviation, but not far below that of the largest gallery that was seen: sentences differ. Few people
say little of c, which is much the same for all models that were looked at, so it is held near that.

The galleries are dealt, not the best of some drawn from one large gallery: a small one has a scale
and moments of its own, by which its best stranger stands lower, and varies more.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmtbps.errors import BadValue

from .split_normal import SplitNormal, fit_split_normal, split_normal_of

__all__ = ['PowerLaw', 'StrangerLaw', 'fit_stranger_law']

Array = NDArray[np.floating]
_FEWEST_SIZES = 3
_CURVES = np.geomspace(.02, 2., 80)
#: Curve of the best strangers of seven trainings of two towers on 1,500 drawn people (.17 to .22),
#: and how far others are thought to be from it, in logarithms.
_USUAL_CURVE, _CURVE_SPREAD = .2, .15
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
    def fit(cls, sizes: Array, values: Array, least: float = -np.inf,
            noise: float = 0.) -> 'PowerLaw':
        """Fit by least squares, with the curve held near the usual one by what noise leaves open.

        Args:
            sizes: Of galleries.
            values: At each of them.
            least: See the class.
            noise: Standard error of each value; they may all err to the same side.
        """
        best, chosen = np.inf, cls(float(values.mean()), 0., 1., least)
        for curve in _CURVES:
            columns = np.stack([np.ones(len(sizes)), -sizes ** -curve], 1)
            (limit, change), *_ = np.linalg.lstsq(columns, values, rcond=None)
            error = ((columns @ [limit, change] - values) ** 2).mean()
            error += (noise * np.log(curve / _USUAL_CURVE) / _CURVE_SPREAD) ** 2
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


def fit_stranger_law(sizes: Sequence[float], best: Sequence[Array], people: int) -> StrangerLaw:
    """Fit the law of the best of N strangers to the best in galleries of several sizes.

    Args:
        sizes: Entries of the galleries, of at least three sizes.
        best: For each size the evidence of the best stranger in each of its galleries.
        people: Of whom the galleries are dealt.

    Raises:
        BadValue: There are too few sizes to see how the best depends on them.
    """
    if len(set(sizes)) < _FEWEST_SIZES:
        raise BadValue(f'a calibration needs galleries of at least {_FEWEST_SIZES} sizes, got '
                       f'{len(set(sizes))}')
    places = np.asarray(sizes, np.float64)
    deviations = np.array([values.std() for values in best])
    laws = [fit_split_normal(values) for values in best[len(best) // 2:]]
    noise = deviations.mean() / np.sqrt(people)
    return StrangerLaw(
        PowerLaw.fit(places, np.array([values.mean() for values in best]), noise=noise),
        PowerLaw.fit(places, deviations, _STEADY * deviations.min(), noise / np.sqrt(2)),
        float(np.mean([law.right / (law.left + law.right) for law in laws])))
