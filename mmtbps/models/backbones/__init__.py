"""Image and text towers, and their contract. ``OverlapViT`` is imported from ``.vit``, apart."""

from .base import Tokens, Tower
from .bert import BERTBackbone
from .clip import CLIPTextTower, CLIPVisionTower
from .conv import ConvTextTower, ConvVisionTower
from .fusion import FusionTower
from .fusion_bert import FusionBERT
from .pooled import PooledBackbone
from .siglip import SigLIPTextTower, SigLIPVisionTower
from .swin import SwinTower

__all__ = ['BERTBackbone', 'CLIPTextTower', 'CLIPVisionTower', 'ConvTextTower', 'ConvVisionTower',
           'FusionBERT', 'FusionTower', 'PooledBackbone', 'SigLIPTextTower', 'SigLIPVisionTower',
           'SwinTower', 'Tokens', 'Tower']
