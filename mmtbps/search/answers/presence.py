"""Estimator of presence: is the person among what was searched, and is a hit the person?"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmtbps.errors import BadValue
from mmtbps.evaluation.presence.calibration import PresenceCalibration
from mmtbps.evaluation.presence.calibration_file import describe_fit
from mmtbps.evaluation.presence.evidence import (
    hit_evidence,
    left_out,
    neutral_scale,
    neutral_share,
    score_moments,
    stranger_moments,
)
from mmtbps.evaluation.presence.measures import label_free

from ..galleries.base import BaseGallery, Hit
from ..galleries.provenance import read_provenance
from ..presence import Presence
from .calibrations import find_calibration, load_calibration
from .gallery_statistics import GalleryStatistics, find_statistics
from .hit_features import features_of

__all__ = ['NOT_CALIBRATED', 'PresenceEstimator']

NOT_CALIBRATED = 'not calibrated'
#: Of fewer entries nothing can be said of strangers.
FEWEST_ENTRIES = 8
#: Filters whose counts are kept.
_MOST_COUNTS = 256


class PresenceEstimator:
    """Estimator of presence for the sentences that a gallery is asked by.

    It asks the gallery for nothing but the features of the hits; all else follows from two moments
    of the gallery, see `find_statistics`, and from the features of neutral sentences that the
    calibration keeps.

    Args:
        gallery: That is searched.
        calibration: Of its model; None for an estimate without labels.
        prior: Share of all sentences asked whose person is there, between 0 and 1; by default that
            of the fit, a half. An estimate without labels has none.
        reason: There is no calibration.

    Raises:
        BadValue: The prior is none.
    """

    def __init__(self, gallery: BaseGallery, calibration: PresenceCalibration | None,
                 prior: float | None = None, reason: str = '') -> None:
        if prior is not None and not 0 < prior < 1:
            raise BadValue('the share of sentences whose person is there is between 0 and 1, got '
                           f'{prior}')
        self.gallery, self.calibration, self.prior = gallery, calibration, prior
        self._reason = f'{NOT_CALIBRATED}{reason and f": {reason}"}'
        self._statistics: GalleryStatistics | None = None
        self._counts: dict[str, int] = {}
        self._scale: tuple[GalleryStatistics, tuple[float, float]] | None = None

    @classmethod
    def find(cls, gallery: BaseGallery, fingerprint: Mapping[str, Any], model: str | None = None,
             calibration: str | os.PathLike | None = None, prior: float | None = None,
             weights: str | os.PathLike | None = None) -> 'PresenceEstimator':
        """Find the calibration of a model, and make the estimator.

        Args:
            gallery: That is searched.
            fingerprint: Of the model.
            model: Its name or folder; by default that which the gallery notes.
            calibration: File; by default the one in the gallery's folder or beside the model.
            prior: As for the class.
            weights: Checkpoint of the model, if that is a config.

        Raises:
            BadValue: The file is damaged, or the one that is named is of another model.
        """
        if calibration is not None:
            return cls(gallery, load_calibration(calibration, fingerprint), prior)
        if model is None:
            noted = read_provenance(gallery)
            model, weights = noted.model, noted.weights
        found, reason = find_calibration(gallery.uri, fingerprint, model, weights)
        return cls(gallery, found, prior, reason)

    def __call__(self, vectors: np.ndarray, found: Sequence[Sequence[Hit]],
                 where: Mapping[str, Any] | None = None,
                 sentences: Sequence[str | None] = ()) -> list[Presence | None]:
        """Estimate for each query whether its person is there.

        A sentence is held against what was fitted on sentences of its length. Where there is
        nothing of the kind, it gets an estimate without labels, which says so.

        Args:
            vectors: ``(Q, D)`` unit features of sentences.
            found: Hits of each, best first, at least ten where there are so many.
            where: Filter by which they were found.
            sentences: That were encoded; where they are not given, they count as captions.

        Returns:
            An answer each; None where too few entries were searched to say anything.
        """
        if not any(found):
            return [None] * len(found)
        searched = self._count(where)
        if searched < FEWEST_ENTRIES:
            return [None] * len(found)
        if self._statistics.count < searched:  # written to between the two
            return [None] * len(found)
        return [self._estimate(vector, hits, searched, sentence) if hits else None
                for vector, hits, sentence in zip(
                    vectors, found, sentences or [None] * len(found), strict=True)]

    def _choose(self, sentence: str | None) -> tuple[PresenceCalibration | None, str]:
        """Choose what was fitted on such sentences, and word that, or why there is nothing."""
        chosen, strange = self.calibration, ''
        if chosen is not None and sentence is not None:
            chosen, strange = chosen.of_length(sentence)
        if chosen is not None:
            return chosen, describe_fit(chosen)
        return None, f'{NOT_CALIBRATED} {strange}' if strange else self._reason

    def _count(self, where: Mapping[str, Any] | None) -> int:
        """Count the entries that pass a filter; once, until the gallery changes."""
        found = find_statistics(self.gallery)
        if found is not self._statistics:
            self._statistics, self._counts = found, {}
        if not where:
            return found.count
        key = repr(sorted(where.items()))
        if key not in self._counts:
            if len(self._counts) >= _MOST_COUNTS:
                self._counts.clear()
            self._counts[key] = self.gallery.count(where)
        return self._counts[key]

    def _estimate(self, vector: np.ndarray, hits: Sequence[Hit], searched: int,
                  sentence: str | None) -> Presence:
        known = self._statistics
        calibration, basis = self._choose(sentence)
        scores = np.array([[hit.score for hit in hits]])
        mean, square = score_moments(vector[None], known.mean, known.second)
        first = scores[:, :min(left_out(searched), len(hits))]
        moments = stranger_moments(mean, square, known.count, first, searched)
        ids = [hit.entry.id for hit in hits]
        if calibration is None:
            present, matching = label_free(scores, *moments, searched)
        else:
            scale = self._neutral_scale()
            features = features_of(self.gallery, ids, hits)
            shares = neutral_share(features @ calibration.bank.T, scale)[None]
            evidence = hit_evidence(scores, shares, *moments, scale)
            present, matching = calibration.probabilities(evidence, searched, self.prior)
        return Presence(float(present[0]), searched, calibration is not None, basis,
                        dict(zip(ids, matching[0].tolist(), strict=True)))

    def _neutral_scale(self) -> tuple[float, float]:
        known = self._statistics
        if self._scale is None or self._scale[0] is not known:
            self._scale = known, neutral_scale(self.calibration.bank, known.mean, known.second,
                                               known.count, self.calibration.scale)
        return self._scale[1]
