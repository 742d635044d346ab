"""Measures of open-set trials, for a calibrated model and for what is usually done instead."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from .calibration import PresenceCalibration
from .evidence import margin, normal_tail
from .open_set import Trials
from .reliability import (
    area_under_curve,
    brier_score,
    brier_skill,
    calibration_error,
    false_positive_rate,
    identification_rate,
)

__all__ = ['WAYS', 'label_free', 'measure_hits', 'measure_trials', 'rate_trials',
           'running_z_score']

Array = NDArray[np.floating]

#: Ways to tell who is there; the first three are what is usually done.
WAYS = ('largest', 'margin', 'running_z', 'label_free', 'calibrated')


def label_free(scores: Array, mean: Array, deviation: Array,
               size: Array | int) -> tuple[Array, Array]:
    r"""Estimate without any label who is there: the probability that no stranger reaches a score.

    The scores of strangers are taken to follow a normal law; the best of N of them stays below a
    score with :math:`\Phi(z)^N`. It is no calibrated probability: whether the model sees enough to
    tell people apart is not in it.

    Args:
        scores: ``(Q, K)``, best first.
        mean: ``(Q,)`` of strangers, see `stranger_moments`.
        deviation: ``(Q,)``.
        size: Entries that were searched, one or ``(Q,)``.

    Returns:
        ``(Q,)`` for the query and ``(Q, K)`` for its hits.

    Example:
        >>> present, hits = label_free(np.array([[.9, .5]]), np.array([.5]), np.array([.1]), 100)
        >>> present.round(2).tolist(), hits.round(2).tolist()
        ([1.0], [[1.0, 0.0]])
    """
    z = (np.asarray(scores, np.float64) - mean[:, None]) / deviation[:, None]
    sizes = np.broadcast_to(np.asarray(size, np.float64), z.shape[:1])[:, None]
    hits = np.exp(sizes * np.log1p(-np.minimum(normal_tail(z), 1 - 1e-16)))
    return hits[:, 0], hits


def running_z_score(scores: Array) -> Array:
    """Compute how far each best score stands above all scores that came before it.

    Args:
        scores: ``(Q, K)`` of queries in the order in which they were asked, best first.

    Returns:
        ``(Q,)``, in deviations of the scores of this query and those before.

    Example:
        >>> running_z_score(np.array([[1., 0.], [1., 0.]])).tolist()
        [1.0, 1.0]
    """
    scores = np.asarray(scores, np.float64)
    count = scores.shape[1] * np.arange(1, len(scores) + 1)
    mean = scores.sum(1).cumsum() / count
    square = (scores ** 2).sum(1).cumsum() / count
    return (scores[:, 0] - mean) / np.sqrt(np.maximum(square - mean ** 2, 1e-12))


def rate_trials(trials: Trials, calibration: PresenceCalibration | None = None,
                prior: float = .5) -> dict[str, tuple[Array, Array | None]]:
    """Rate trials in every way of `WAYS`.

    Args:
        trials: With evidence for ``'calibrated'``.
        calibration: Of the model; that way is left out without one.
        prior: Share of the trials whose person is there, which a calibration can be told.

    Returns:
        By way ``(T,)`` scores, and the same as a probability, where one is claimed.
    """
    largest, running = trials.scores[:, 0], running_z_score(trials.scores)
    estimate = label_free(trials.scores, trials.mean, trials.deviation, trials.size)[0]
    rated: dict[str, tuple[Array, Array | None]] = dict(
        largest=(largest, np.clip(largest, 0, 1)), margin=(margin(trials.scores), None),
        running_z=(running, 1 / (1 + np.exp(-running))), label_free=(estimate, estimate))
    if calibration is not None:
        present = calibration.probabilities(trials.evidence, trials.size, prior)[0]
        rated['calibrated'] = present, present
    return rated


def measure_trials(trials: Trials,
                   rated: Mapping[str, tuple[Array, Array | None]]) -> dict[str, float]:
    """Measure how well each way tells who is there.

    Args:
        trials: Of one size and share.
        rated: See `rate_trials`.

    Returns:
        By ``'{way}/{measure}'``: ``AUROC``, ``FPR95``, ``DIR1`` and ``DIR10`` (detection and
        identification at 1 % and 10 % false alarms), and of a probability ``Brier``, ``skill`` and
        ``ECE``.
    """
    truth, correct = trials.present, trials.matches[:, 0]
    found: dict[str, float] = {}
    for way, (score, probability) in rated.items():
        values = dict(AUROC=area_under_curve(score, truth),
                      FPR95=false_positive_rate(score, truth),
                      DIR1=identification_rate(score, truth, correct, .01),
                      DIR10=identification_rate(score, truth, correct, .1))
        if probability is not None:
            values.update(Brier=brier_score(probability, truth),
                          skill=brier_skill(probability, truth),
                          ECE=calibration_error(probability, truth))
        found.update({f'{way}/{name}': value for name, value in values.items()
                      if not math.isnan(value)})
    return found


def measure_hits(trials: Trials, calibration: PresenceCalibration,
                 prior: float = .5) -> dict[str, float]:
    """Measure how well a calibration tells which hits are right.

    Args:
        trials: With evidence.
        calibration: Of the model.
        prior: As for `rate_trials`.

    Returns:
        ``'hits/AUROC'``, ``'hits/Brier'``, ``'hits/skill'`` and ``'hits/ECE'``, of the first hits
        of all trials; nothing where all of them are right, or none.
    """
    said = calibration.probabilities(trials.evidence, trials.size, prior)[1].ravel()
    truth = trials.matches.ravel()
    if truth.all() or not truth.any():
        return {}
    return {'hits/AUROC': area_under_curve(said, truth), 'hits/Brier': brier_score(said, truth),
            'hits/skill': brier_skill(said, truth), 'hits/ECE': calibration_error(said, truth)}
