"""Models of ours under the names and in the layout of other libraries."""

from .base import LibraryModel
from .factory import describe_for_transformers
from .square_positions import square_positions

__all__ = ['LibraryModel', 'describe_for_transformers', 'square_positions']
