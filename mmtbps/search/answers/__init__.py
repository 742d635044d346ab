"""Answers one can act on: is anybody there, what holds of a hit, and what a visitor wishes."""

from .calibrations import CALIBRATION_FILE, find_calibration, place_of_calibration
from .gallery_statistics import GalleryStatistics, find_statistics, forget_statistics
from .phrase_bounds import (
    find_phrase_bounds,
    fit_phrase_bounds,
    read_phrase_bounds,
    write_phrase_bounds,
)
from .phrases import CHECKED, PhraseChecker, PhraseMark, TextCache
from .presence import PresenceEstimator
from .wishes import Wishes, order_by_marks, read_must

__all__ = ['CALIBRATION_FILE', 'CHECKED', 'GalleryStatistics', 'PhraseChecker', 'PhraseMark',
           'PresenceEstimator', 'TextCache', 'Wishes', 'find_calibration', 'find_phrase_bounds',
           'find_statistics', 'fit_phrase_bounds', 'forget_statistics', 'order_by_marks',
           'place_of_calibration', 'read_must', 'read_phrase_bounds', 'write_phrase_bounds']
