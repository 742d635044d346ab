"""Pretrained dual encoders of other libraries, by name, with their own preprocessing."""

from .base import CutText, DualEncoder, ensemble, match_probability
from .factory import load_dual_encoder

__all__ = ['CutText', 'DualEncoder', 'ensemble', 'load_dual_encoder',
           'match_probability']
