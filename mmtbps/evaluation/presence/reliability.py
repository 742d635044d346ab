"""Measures of a probability, and of a score that tells present from absent.

A calibration error alone is met by knowing nothing: whoever says the base rate every time has none.
So the Brier score stands beside it, and its skill over that base rate.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmtbps.errors import BadValue

__all__ = ['ReliabilityBin', 'area_under_curve', 'brier_score', 'brier_skill', 'calibration_error',
           'false_positive_rate', 'identification_rate', 'reliability_bins']

Array = NDArray[np.floating]
Truth = NDArray[np.bool_]
_WITHIN = 1e-9  # of rounding, in shares of counts


class ReliabilityBin(NamedTuple):
    """Answers of about one probability.

    Args:
        count: of them.
        said: their mean probability.
        found: share of them that were right.
    """

    count: int
    said: float
    found: float


def brier_score(probability: Array, truth: Truth) -> float:
    """Compute the mean square of probability less truth; 0 is best, .25 a coin.

    Example:
        >>> brier_score(np.array([.5, 1.]), np.array([True, True]))
        0.125
    """
    probability, truth = _check(probability, truth)
    return float(((probability - truth) ** 2).mean())


def brier_skill(probability: Array, truth: Truth) -> float:
    """Compute the share of the base rate's Brier score that is saved; 1 is best, 0 knows nothing.

    Example:
        >>> brier_skill(np.array([1., 0.]), np.array([True, False]))
        1.0
    """
    probability, truth = _check(probability, truth, both=True)
    base = truth.mean() * (1 - truth.mean())
    return float(1 - brier_score(probability, truth) / base)


def reliability_bins(probability: Array, truth: Truth, bins: int = 10) -> list[ReliabilityBin]:
    """Gather answers of about equal probability, for a reliability diagram; empty bins are none.

    Args:
        probability: ``(N,)``.
        truth: ``(N,)``.
        bins: of equal width.

    Example:
        >>> reliability_bins(np.array([.25, .25]), np.array([True, False]))
        [ReliabilityBin(count=2, said=0.25, found=0.5)]
    """
    probability, truth = _check(probability, truth)
    if bins < 1:
        raise BadValue(f'answers are gathered in 1 or more bins, got {bins}')
    place = np.minimum((probability * bins).astype(int), bins - 1)
    return [ReliabilityBin(int(inside.sum()), float(probability[inside].mean()),
                           float(truth[inside].mean()))
            for inside in (place == number for number in range(bins)) if inside.any()]


def calibration_error(probability: Array, truth: Truth, bins: int = 10) -> float:
    """Compute the mean distance between what was said and what was found, over bins.

    Example:
        >>> calibration_error(np.array([.25, .25]), np.array([True, False]))
        0.25
    """
    gathered = reliability_bins(probability, truth, bins)
    total = sum(each.count for each in gathered)
    return sum(each.count * abs(each.said - each.found) for each in gathered) / total


def area_under_curve(score: Array, truth: Truth) -> float:
    """Compute AUROC: how often a score of one who is there is above that of one who is not.

    Example:
        >>> area_under_curve(np.array([.9, .5, .5]), np.array([True, True, False]))
        0.75
    """
    score, truth = _check(score, truth, both=True, unit=False)
    there, away = score[truth], np.sort(score[~truth])
    below, up_to = (np.searchsorted(away, there, side) for side in ('left', 'right'))
    return float((below + up_to).mean() / 2 / len(away))


def false_positive_rate(score: Array, truth: Truth, recall: float = .95) -> float:
    """Compute the share of absent ones that pass where ``recall`` of those who are there pass.

    Example:
        >>> false_positive_rate(np.array([.9, .5, .6, .1]), np.array([True, True, False, False]))
        0.5
    """
    score, truth = _check(score, truth, both=True, unit=False)
    there = np.sort(score[truth])[::-1]
    threshold = there[max(int(np.ceil(recall * len(there) - _WITHIN)), 1) - 1]
    return float((score[~truth] >= threshold).mean())


def identification_rate(score: Array, truth: Truth, correct: Truth,
                        false_alarms: float = .01) -> float:
    """Compute the detection and identification rate at a rate of false alarms.

    Args:
        score: ``(N,)``; an alarm is raised above a threshold.
        truth: ``(N,)`` whether the person is there.
        correct: ``(N,)`` whether the best hit is the person.
        false_alarms: At most such a share of those who are absent raises an alarm.

    Returns:
        The share of those who are there that raise one, with the right person as best hit.

    Example:
        >>> identification_rate(np.array([.9, .4, .5]), np.array([True, True, False]),
        ...                     np.array([True, True, False]))
        0.5
    """
    score, truth = _check(score, truth, both=True, unit=False)
    away = np.sort(score[~truth])[::-1]
    allowed = int(np.floor(false_alarms * len(away) + _WITHIN))
    threshold = away[allowed] if allowed < len(away) else -np.inf
    return float(((score > threshold) & np.asarray(correct, bool))[truth].mean())


def _check(values: Array, truth: Truth, both: bool = False,
           unit: bool = True) -> tuple[Array, Truth]:
    values, truth = np.asarray(values, np.float64), np.asarray(truth, bool)
    if values.ndim != 1 or values.shape != truth.shape or not len(values):
        raise BadValue('one value is needed for each of one or more answers, got '
                       f'{values.shape} for {truth.shape}')
    if not np.isfinite(values).all() or unit and (values.min() < 0 or values.max() > 1):
        raise BadValue('a probability is from 0 to 1' if unit else 'a score must be finite')
    if both and truth.all() | ~truth.any():
        raise BadValue('both people who are there and people who are not are needed')
    return values, truth
