"""Judges of the answers of one model: of phrases and of presence, with what was calibrated."""

import os
from dataclasses import dataclass, field
from typing import Any

from ..captioning import with_captions
from ..encoders.base import Encoder
from ..galleries.base import BaseGallery
from ..galleries.fingerprint import CAPTIONS
from .phrase_bounds import find_phrase_bounds
from .phrases import PhraseChecker
from .presence import PresenceEstimator

__all__ = ['Judges']


@dataclass
class Judges:
    """Finder of the judges of a gallery's answers.

    Args:
        encoder: Of the gallery's features.
        model: Its name or folder; by default that which a gallery notes.
        weights: Its checkpoint, if that is a config.
        presence: Whether to estimate presence: None only where the model is calibrated.
        calibration: File; by default the one in the gallery's folder or beside the model.
        prior: Share of all sentences asked whose person is there.

    Attributes:
        checker: Of phrases; its bounds are those that were calibrated, unless it was given some.
    """

    encoder: Encoder
    model: str | os.PathLike | None = None
    weights: str | os.PathLike | None = None
    presence: bool | None = None
    calibration: str | os.PathLike | None = None
    prior: float | None = None
    checker: PhraseChecker = field(init=False, repr=False)
    _estimator: PresenceEstimator | None = field(default=None, init=False, repr=False)
    _checked: BaseGallery | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self.checker = PhraseChecker(self.encoder)

    def checker_of(self, gallery: BaseGallery) -> PhraseChecker:
        """Find the bounds of a gallery's model, and return the checker.

        Raises:
            BadValue: Their file is damaged.
        """
        if self._checked is not gallery:
            self.checker.bounds = self.checker.bounds or find_phrase_bounds(
                gallery, self._fingerprint(gallery), self.model, self.weights)
            self._checked = gallery
        return self.checker

    def estimator_of(self, gallery: BaseGallery) -> PresenceEstimator | None:
        """Find who tells whether a person is there; None where it is not wanted or not known.

        Raises:
            BadValue: The calibration is damaged, or the one that is named is of another model.
        """
        if self.presence is False:
            return None
        if self._estimator is None or self._estimator.gallery is not gallery:
            self._estimator = PresenceEstimator.find(
                gallery, self._fingerprint(gallery), self.model, self.calibration, self.prior,
                self.weights)
        return self._estimator if self.presence or self._estimator.calibration else None

    def _fingerprint(self, gallery: BaseGallery) -> dict[str, Any]:
        """Return that of the features: what is calibrated on pictures holds for no captions."""
        return with_captions(self.encoder.fingerprint, gallery.fingerprint.get(CAPTIONS))
