"""Necks: from the tokens of a tower to the named parts of a feature."""

from .base import BaseNeck, check_necks, unit_feature
from .projection import ProjectionNeck
from .token_selection import TokenSelectionNeck

__all__ = ['BaseNeck', 'ProjectionNeck', 'TokenSelectionNeck', 'check_necks',
           'unit_feature']
