"""Heads: what is trained on top of the features, and no search needs."""

from .base import BaseHead
from .contrastive_head import HardnessAwareContrastiveHead
from .pairs import EncodedSide, GatheredPairs, Pairs, TrainingProgress

__all__ = ['BaseHead', 'EncodedSide', 'GatheredPairs', 'HardnessAwareContrastiveHead', 'Pairs',
           'TrainingProgress']
