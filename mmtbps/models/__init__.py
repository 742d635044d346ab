"""Models. ``OverlapViT`` is imported from ``mmtbps.models.backbones.vit``, where it is used."""

from .backbones import BERTBackbone, PooledBackbone
from .batch_augments import BatchRandomCrop, BatchRandomErasing, BatchRandomFlip
from .heads import HardnessAwareContrastiveHead
from .mixup import FeatureMixup, PixelMixup
from .preprocessor import TextImagePreprocessor
from .retrievers.dual_encoder import TextImageRetriever

__all__ = ['BERTBackbone', 'BatchRandomCrop', 'BatchRandomErasing', 'BatchRandomFlip',
           'FeatureMixup', 'HardnessAwareContrastiveHead', 'PixelMixup', 'PooledBackbone',
           'TextImagePreprocessor', 'TextImageRetriever']
