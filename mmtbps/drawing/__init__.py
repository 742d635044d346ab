"""DrawnPEDES: drawn pedestrians with captions, a stand-in for data sets that cannot be shipped."""

from .build import draw_dataset
from .captions import caption
from .edits import recolour
from .person import sample_person, sample_scene
from .render import render

__all__ = ['sample_person', 'sample_scene', 'render', 'caption', 'recolour', 'draw_dataset']
