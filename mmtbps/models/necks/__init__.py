"""Necks: from the tokens of a tower to the named parts of a feature."""

from .base import BaseNeck, unit_feature
from .projection import ProjectionNeck

__all__ = ['BaseNeck', 'ProjectionNeck', 'unit_feature']
