"""The two towers. ``OverlapViT`` lives in ``.vit``, imported where it is used."""

from .bert import BERTBackbone
from .pooled import PooledBackbone

__all__ = ['BERTBackbone', 'PooledBackbone']
