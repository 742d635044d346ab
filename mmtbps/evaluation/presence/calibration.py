"""Calibration of a model: from the evidence of hits to probabilities, for a gallery of any size.

The evidence of a hit is summed up in one number. Two laws of it are known: that of the person's
best picture, with density h and distribution H, which no gallery changes, and that of the best of
N strangers, g and G. By Bayes' rule the hit speaks for the person by

.. math:: \\frac{h(x) \\, G_N(x)}{g_N(x)} + H(x)

to one: the person is the best hit, or is there behind a stranger. So the size of the gallery, after
its filters, stands in the formula, and is not learned by heart. A last step, logistic or isotonic,
sets right what the normal laws leave.

A sentence of two words has other evidence than a caption, and other laws: a calibration holds
others for sentences of other lengths.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .best_of import StrangerLaw
from .evidence import FIRST_HITS, NeutralScale
from .mixed_lengths import MixedCalibration, mix_by_length
from .sentence_lengths import describe_strange_length
from .split_normal import SplitNormal

__all__ = ['Curve', 'PresenceCalibration', 'shift_prior']

Array = NDArray[np.floating]
#: Of a probability; a finite sample proves no certainty.
_CERTAIN = 1e-4
_WIDEST = 30.
#: By so little evidence counts in any case, so that answers of one probability keep an order.
_RISE, _SLOW = 1e-4, 10.
#: Evidence is told apart in so many places, up to so many deviations from a mode.
_PLACES, _TAIL = 512, 5.


@dataclass(frozen=True)
class Curve:
    """Monotone curve from the logarithm of a ratio to a probability.

    Args:
        slope: Of the logistic curve.
        intercept: Of the logistic curve.
        knots: ``(x, probability)`` of an isotonic one, between which it is straight; they stand in
            place of the logistic curve.

    Example:
        >>> Curve(1., 0.)(np.array([0.])).tolist()
        [0.5]
        >>> Curve(knots=((0., .25), (1., .75)))(np.array([-1., .5])).round(3).tolist()
        [0.25, 0.5]
    """

    slope: float = 1.
    intercept: float = 0.
    knots: tuple[tuple[float, float], ...] = ()

    def __call__(self, ratio: Array) -> Array:
        """Return probabilities; a larger ratio has a larger one, also where the curve is level."""
        if self.knots:
            places, values = np.array(self.knots).T
            found = np.interp(ratio, places, values)
        else:
            found = logistic(self.slope * ratio + self.intercept)
        return _CERTAIN * (1 + logistic(np.asarray(ratio) / _SLOW)) + (1 - 3 * _CERTAIN) * found


@dataclass(frozen=True)
class PresenceCalibration:
    """Calibration of a model: what was fitted, of what model, and on what.

    Args:
        weights: ``(E,)`` of the evidence, see `mmtbps.evaluation.presence.EVIDENCE`.
        match: Law of the evidence of a person's best picture.
        strangers: Law of the best of N strangers.
        presence: From the logarithm of the ratio to the probability that the person is there.
        hit: ``(3,)`` of the probability that a hit is the person who is there: weights of its
            share in the ratio of the list and of that ratio, and an intercept.
        bank: ``(B, D)`` features of the neutral sentences.
        scale: Of their scores over the gallery of the fit, see `neutral_scale`.
        prior: Share of sentences whose person was there, for which the curve holds.
        fingerprint: Of the model.
        fitted_on: Protocol: data set, split, counts, sizes, seed, in JSON types.
        others: Calibrations of the model that were fitted on sentences of other lengths.
    """

    weights: Array
    match: SplitNormal
    strangers: StrangerLaw
    presence: Curve
    hit: tuple[float, float, float]
    bank: Array
    scale: NeutralScale
    prior: float = .5
    fingerprint: dict[str, Any] = field(default_factory=dict)
    fitted_on: dict[str, Any] = field(default_factory=dict)
    others: tuple['PresenceCalibration', ...] = ()

    def of_length(self, sentence: str
                  ) -> tuple['PresenceCalibration | MixedCalibration | None', str]:
        """Choose what was fitted on sentences as long as one: itself, one of the others, or both.

        One that has no lengths noted counts for all.

        Args:
            sentence: That is asked.

        Returns:
            A calibration, or None with the reason in words.
        """
        known = (self, *self.others)
        fitting = [one for one in known
                   if not describe_strange_length(sentence, one.fitted_on.get('words'))]
        if fitting:
            return mix_by_length(sentence, fitting), ''
        return None, describe_strange_length(
            sentence, *(one.fitted_on.get('words') for one in known))

    def ratios(self, evidence: Array, size: Array | int) -> tuple[Array, Array, Array]:
        """Compute by how much hits, the best of them, and their list speak for the person.

        Args:
            evidence: ``(Q, K, E)`` of the first hits.
            size: Entries that were searched, one or ``(Q,)``.

        Returns:
            Logarithms: ``(Q, K)`` of each hit, ``(Q,)`` of the best one, ``(Q,)`` of the list: of
            any of its hits, or that the person is behind them.
        """
        summed = evidence @ self.weights
        sizes = np.broadcast_to(np.asarray(size, np.int64), summed.shape[:1])
        first = summed[:, :FIRST_HITS]
        hits, query, listed = (np.empty(shape) for shape in (summed.shape, *2 * [len(summed)]))
        for one in np.unique(sizes):
            rows = sizes == one
            places, alone, either, behind = self._curves(float(one))
            best = first[rows].max(1)
            hits[rows] = np.interp(summed[rows], places, alone) + _RISE * summed[rows]
            query[rows] = np.interp(best, places, either) + _RISE * best
            listed[rows] = np.interp(first[rows].min(1), places, behind)
        for place in range(first.shape[1]):
            listed = np.logaddexp(listed, hits[:, place])
        return hits, query, listed

    def probabilities(self, evidence: Array, size: Array | int,
                      prior: float | None = None) -> tuple[Array, Array]:
        """Compute the probability that the person is there, and that each hit is the person.

        Args:
            evidence: ``(Q, K, E)`` of the first hits.
            size: Entries that were searched, one or ``(Q,)``.
            prior: Share of all sentences asked whose person is there; that of the fit by default.

        Returns:
            ``(Q,)`` and ``(Q, K)``; no hit is likelier than the person.
        """
        hits, query, listed = self.ratios(evidence, size)
        present = self.presence(query)
        if prior is not None:
            present = shift_prior(present, self.prior, prior)
        share, all_of_them, intercept = self.hit
        matching = logistic(share * (hits - listed[:, None]) + all_of_them * listed[:, None]
                            + intercept)
        return present, present[:, None] * matching

    def _curves(self, size: float) -> tuple[Array, Array, Array, Array]:
        """Compute logarithms over the evidence, for a gallery of one size.

        More evidence never speaks less for a person, whatever the tails of fitted laws say: where
        they would fall, a curve is level.

        Returns:
            Evidence; the ratio of a hit; that of the best hit; the chance to be behind it.
        """
        strangers, match = self.strangers.of(size), self.match
        low = min(match.mode - _TAIL * match.left, strangers.mode - _TAIL * strangers.left)
        high = max(match.mode + _TAIL * match.right, strangers.mode + _TAIL * strangers.right)
        places = np.linspace(low, high, _PLACES)
        alone = (match.log_density(places) + strangers.log_distribution(places)
                 - strangers.log_density(places))
        behind = match.log_distribution(places)
        either = np.logaddexp(alone, behind)
        return places, *(np.clip(np.maximum.accumulate(curve), -_WIDEST, _WIDEST)
                         for curve in (alone, either, behind))


def shift_prior(probability: Array, fitted: float, asked: float) -> Array:
    """Shift probabilities to another share of sentences whose person is there, by Bayes' rule.

    Args:
        probability: Under the share ``fitted``.
        fitted: Between 0 and 1.
        asked: Between 0 and 1.

    Example:
        >>> shift_prior(np.array([.5]), .5, .1).round(3).tolist()
        [0.1]
    """
    present = probability * asked / fitted
    absent = (1 - probability) * (1 - asked) / (1 - fitted)
    return present / (present + absent)


def logistic(value: Array) -> Array:
    """Compute the logistic function.

    Example:
        >>> logistic(np.array([0.])).tolist()
        [0.5]
    """
    return np.exp(-np.logaddexp(0, -value))
