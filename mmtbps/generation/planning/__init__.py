"""Planning: the captions of an edit, and the edits of a data set."""

from .caption_edits import CaptionEdit, ColorSwitcher
from .planner import ColorSwitchPlanner

__all__ = ['CaptionEdit', 'ColorSwitchPlanner', 'ColorSwitcher']
