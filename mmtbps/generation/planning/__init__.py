"""Planning of edits: what of which picture to change, and the captions afterwards."""

from .base import BaseEditPlanner
from .caption_edits import CaptionEdit, ColorSwitcher, Replacement
from .planner import ColorSwitchPlanner
from .scene_edits import SceneEditPlanner

__all__ = ['BaseEditPlanner', 'CaptionEdit', 'ColorSwitchPlanner', 'ColorSwitcher', 'Replacement',
           'SceneEditPlanner']
