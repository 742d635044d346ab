"""Presence: the probability that somebody is in a gallery. A name is imported when asked for."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .calibration import PresenceCalibration, shift_prior
    from .calibration_file import describe_fit, read_calibration, write_calibration
    from .caption_parts import CaptionParts, parts_of_captions
    from .fitting import fit_calibration, fit_parts
    from .measures import label_free, measure_trials, rate_trials
    from .open_set import OpenSet, Trials, deal_trials
    from .open_set_metric import OpenSetMetric

_HOMES = dict(
    CaptionParts='caption_parts', OpenSet='open_set', OpenSetMetric='open_set_metric',
    PresenceCalibration='calibration', Trials='open_set', deal_trials='open_set',
    describe_fit='calibration_file', fit_calibration='fitting', fit_parts='fitting',
    label_free='measures', measure_trials='measures', parts_of_captions='caption_parts',
    rate_trials='measures', read_calibration='calibration_file', shift_prior='calibration',
    write_calibration='calibration_file')
__all__ = ['CaptionParts', 'OpenSet', 'OpenSetMetric', 'PresenceCalibration', 'Trials',
           'deal_trials', 'describe_fit', 'fit_calibration', 'fit_parts', 'label_free',
           'measure_trials', 'parts_of_captions', 'rate_trials', 'read_calibration',
           'shift_prior', 'write_calibration']


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(f'.{_HOMES[name]}', __name__), name)
