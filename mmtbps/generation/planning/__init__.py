"""Planning of edits: the garments and colours to exchange, and the captions afterwards."""

from .caption_edits import CaptionEdit, ColorSwitcher, Replacement
from .planner import ColorSwitchPlanner

__all__ = ['CaptionEdit', 'ColorSwitchPlanner', 'ColorSwitcher', 'Replacement']
