"""Models. ``OverlapViT`` is imported from ``mmtbps.models.backbones.vit``, where it is used."""

from .backbones import BERTBackbone, PooledBackbone
from .batch_augment import BatchRandomCrop, BatchRandomErasing, BatchRandomFlip
from .feature_mixup import FeatureMixup, PixelMixup
from .heads import HardnessAwareContrastiveHead
from .preprocessor import TextImagePreprocessor
from .retriever import TextImageRetriever

__all__ = ['BERTBackbone', 'BatchRandomCrop', 'BatchRandomErasing', 'BatchRandomFlip',
           'FeatureMixup', 'HardnessAwareContrastiveHead', 'PixelMixup', 'PooledBackbone',
           'TextImagePreprocessor', 'TextImageRetriever']
