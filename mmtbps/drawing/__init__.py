"""DrawnPEDES: drawn pedestrians with captions, a stand-in for data sets that cannot be shipped."""

import warnings

from .build import draw_dataset
from .captions import caption
from .edits import recolor
from .person import sample_person, sample_scene
from .render import render

__all__ = ['caption', 'draw_dataset', 'recolor', 'render', 'sample_person', 'sample_scene']


def __getattr__(name: str):
    if name == 'recolour':
        warnings.warn('mmtbps.drawing.recolour is now recolor', DeprecationWarning, stacklevel=2)
        return recolor
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
