"""Models. ``OverlapViT`` is imported from ``mmtbps.models.backbones.vit``, where it is used."""

from .backbones import BERTBackbone, PooledBackbone
from .feature_mixup import FeatureMixup, PixelMixup
from .heads import HardnessAwareContrastiveHead
from .preprocessor import TextImagePreprocessor
from .retriever import TextImageRetriever

__all__ = ['BERTBackbone', 'FeatureMixup', 'HardnessAwareContrastiveHead', 'PixelMixup',
           'PooledBackbone', 'TextImagePreprocessor', 'TextImageRetriever']
