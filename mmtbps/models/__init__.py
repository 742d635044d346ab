"""Models. ``OverlapViT`` is imported from ``mmtbps.models.backbones.vit``, where it is used."""

from .backbones import (
    BERTBackbone,
    CLIPTextTower,
    CLIPVisionTower,
    PooledBackbone,
    SigLIPTextTower,
    SigLIPVisionTower,
    Tokens,
    Tower,
)
from .batch_augments import BatchRandomCrop, BatchRandomErasing, BatchRandomFlip
from .heads import BaseHead, HardnessAwareContrastiveHead, Pairs
from .mixup import FeatureMixup, PixelMixup
from .necks import BaseNeck, ProjectionNeck
from .preprocessor import TextImagePreprocessor
from .retrievers import TextImageRetriever, inference_settings

__all__ = ['BERTBackbone', 'BaseHead', 'BaseNeck', 'BatchRandomCrop', 'BatchRandomErasing',
           'BatchRandomFlip', 'CLIPTextTower', 'CLIPVisionTower', 'FeatureMixup',
           'HardnessAwareContrastiveHead', 'Pairs', 'PixelMixup', 'PooledBackbone',
           'ProjectionNeck', 'SigLIPTextTower', 'SigLIPVisionTower', 'TextImagePreprocessor',
           'TextImageRetriever', 'Tokens', 'Tower', 'inference_settings']
