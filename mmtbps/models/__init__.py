"""Models. ``OverlapViT`` is imported from ``mmtbps.models.backbones.vit``, where it is used."""

from .backbones import BERTBackbone, PooledBackbone, Tokens, Tower
from .batch_augments import BatchRandomCrop, BatchRandomErasing, BatchRandomFlip
from .heads import BaseHead, HardnessAwareContrastiveHead, Pairs
from .mixup import FeatureMixup, PixelMixup
from .necks import BaseNeck, ProjectionNeck
from .preprocessor import TextImagePreprocessor
from .retrievers import PretrainedRetriever, TextImageRetriever, inference_settings

__all__ = ['BERTBackbone', 'BaseHead', 'BaseNeck', 'BatchRandomCrop', 'BatchRandomErasing',
           'BatchRandomFlip', 'FeatureMixup', 'HardnessAwareContrastiveHead', 'Pairs',
           'PixelMixup', 'PooledBackbone', 'PretrainedRetriever', 'ProjectionNeck',
           'TextImagePreprocessor', 'TextImageRetriever', 'Tokens', 'Tower', 'inference_settings']
