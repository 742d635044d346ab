"""Answers one can act on: is anybody there, what holds of a hit, and what a visitor wishes."""

from .calibrations import CALIBRATION_FILE, find_calibration, place_of_calibration
from .gallery_statistics import GalleryStatistics, find_statistics, forget_statistics
from .phrases import (
    CHECKED,
    PhraseChecker,
    PhraseMark,
    TextCache,
    read_phrase_bounds,
    write_phrase_bounds,
)
from .presence import PresenceEstimator
from .wishes import Wishes, order_by_marks, read_must

__all__ = ['CALIBRATION_FILE', 'CHECKED', 'GalleryStatistics', 'PhraseChecker', 'PhraseMark',
           'PresenceEstimator', 'TextCache', 'Wishes', 'find_calibration', 'find_statistics',
           'forget_statistics', 'order_by_marks', 'place_of_calibration', 'read_must',
           'read_phrase_bounds', 'write_phrase_bounds']
