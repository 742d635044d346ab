"""Necks: from the tokens of a tower to the named parts of a feature."""

from .base import BaseNeck, check_necks, unit_feature
from .linear_text import LinearTextNeck, fit_text_map
from .projection import ProjectionNeck
from .token_selection import TokenSelectionNeck

__all__ = ['BaseNeck', 'LinearTextNeck', 'ProjectionNeck', 'TokenSelectionNeck', 'check_necks',
           'fit_text_map', 'unit_feature']
