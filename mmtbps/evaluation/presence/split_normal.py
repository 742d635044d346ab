"""Normal law of two halves, one wider than the other, as the best of many has."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .evidence import normal_tail

__all__ = ['SplitNormal', 'fit_split_normal', 'split_normal_of']

Array = NDArray[np.floating]
_LEAST = 1e-6
_NEVER = 1e-300
_BINS = 400
_INNER = (.1, .9)  # part of the values in which the mode is looked for


@dataclass(frozen=True)
class SplitNormal:
    """A normal law with a deviation of its own on either side of the mode.

    Args:
        mode: Where both halves meet.
        left: Deviation below.
        right: Deviation above.
    """

    mode: Array | float
    left: Array | float
    right: Array | float

    def log_density(self, value: Array) -> Array:
        """Compute the logarithm of the density.

        Example:
            >>> SplitNormal(0., 1., 1.).log_density(np.array([0.])).round(3).tolist()
            [-0.919]
        """
        width = np.where(value < self.mode, self.left, self.right)
        height = math.log(math.sqrt(2 / math.pi)) - np.log(np.add(self.left, self.right))
        return height - ((value - self.mode) / width) ** 2 / 2

    def log_distribution(self, value: Array) -> Array:
        """Compute the logarithm of the probability to be below.

        Example:
            >>> np.exp(SplitNormal(0., 1., 3.).log_distribution(np.array([0.]))).tolist()
            [0.25]
        """
        total = np.add(self.left, self.right)
        below = 2 * self.left / total * normal_tail((self.mode - value) / self.left)
        above = 1 - 2 * self.right / total * normal_tail((value - self.mode) / self.right)
        return np.log(np.maximum(np.where(value < self.mode, below, above), _NEVER))


def split_normal_of(mean: Array | float, deviation: Array | float,
                    right_share: float = .5) -> SplitNormal:
    """Return the law of a mean, a deviation, and the share of its right half.

    Args:
        mean: Of all of it.
        deviation: Of all of it.
        right_share: Deviation above the mode, by the sum of both; between 0 and 1.

    Example:
        >>> split_normal_of(3., 2., .5)
        SplitNormal(mode=3.0, left=2.0, right=2.0)
    """
    apart = 2 * right_share - 1
    total = deviation / math.sqrt((1 - 2 / math.pi) * apart ** 2 + right_share * (1 - right_share))
    return SplitNormal(mean - math.sqrt(2 / math.pi) * apart * total, (1 - right_share) * total,
                       right_share * total)


def fit_split_normal(values: Array, weights: Array | None = None) -> SplitNormal:
    """Fit the law with the highest likelihood.

    For a mode, with the sums of squares L and R to its sides, the deviations are known in closed
    form, and the best mode has the least :math:`L^{1/3} + R^{1/3}`.

    Args:
        values: Of any shape.
        weights: Of the same; equal by default.

    Example:
        >>> law = fit_split_normal(np.random.default_rng(0).normal(3, 2, 100_000))
        >>> round(law.mode + law.right - law.left)
        3
    """
    counts, edges = np.histogram(values, _BINS, weights=weights)
    places, counts = (edges[1:] + edges[:-1]) / 2, counts / counts.sum()
    risen = counts.cumsum()
    inner = places[(risen >= _INNER[0]) & (risen <= _INNER[1])]
    modes = inner if len(inner) else places[[int(np.argmax(counts))]]
    offset = places - modes[:, None]
    left = (counts * np.minimum(offset, 0) ** 2).sum(1) ** (1 / 3)
    right = (counts * np.maximum(offset, 0) ** 2).sum(1) ** (1 / 3)
    best = int(np.argmin(left + right))
    left, right, both = left[best], right[best], left[best] + right[best]
    return SplitNormal(float(modes[best]), max(float(left * math.sqrt(both)), _LEAST),
                       max(float(right * math.sqrt(both)), _LEAST))
