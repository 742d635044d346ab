"""Planning: what of which picture to change and the captions afterwards, or those to tell anew."""

from mmtbps.lexicon.color_switching import CaptionEdit, ColorSwitcher, Replacement

from .attribute_edits import AttributeEdit, AttributeSwitcher
from .attribute_planner import AttributeEditPlanner
from .base import BaseEditPlanner
from .planner import ColorSwitchPlanner
from .retell_planner import RetellPlanner
from .scene_edits import SceneEditPlanner

__all__ = ['AttributeEdit', 'AttributeEditPlanner', 'AttributeSwitcher', 'BaseEditPlanner',
           'CaptionEdit', 'ColorSwitchPlanner', 'ColorSwitcher', 'Replacement', 'RetellPlanner',
           'SceneEditPlanner']
