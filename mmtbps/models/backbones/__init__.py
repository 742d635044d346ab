"""Image and text towers, and their contract. ``OverlapViT`` is imported from ``.vit``, apart."""

from .base import Tokens, Tower
from .bert import BERTBackbone
from .pooled import PooledBackbone

__all__ = ['BERTBackbone', 'PooledBackbone', 'Tokens', 'Tower']
