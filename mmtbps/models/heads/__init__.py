"""Heads: what is trained on top of the two towers."""

from .contrastive_head import HardnessAwareContrastiveHead

__all__ = ['HardnessAwareContrastiveHead']
