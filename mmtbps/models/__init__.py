"""Models. ``OverlapViT`` is imported from ``mmtbps.models.backbones.vit``, where it is used."""

from .backbones import (
    BERTBackbone,
    CLIPTextTower,
    CLIPVisionTower,
    FusionBERT,
    PooledBackbone,
    SigLIPTextTower,
    SigLIPVisionTower,
    SwinTower,
    Tokens,
    Tower,
)
from .batch_augments import BatchRandomCrop, BatchRandomErasing, BatchRandomFlip
from .heads import (
    BaseHead,
    CMPMHead,
    FusionMLMHead,
    HardestTripletHead,
    HardnessAwareContrastiveHead,
    IdentityHead,
    MatchingHead,
    MLMHead,
    Pairs,
    QCAlignHead,
    SDMHead,
    SigmoidHead,
    SimCLRHead,
    TALHead,
    TBPSCLIPHead,
)
from .mixup import FeatureMixup, PixelMixup
from .necks import BaseNeck, ProjectionNeck, TokenSelectionNeck
from .preprocessor import TextImagePreprocessor
from .pretrained_init import StrictPretrainedInit
from .retrievers import (
    CrossEncoderRetriever,
    PretrainedRetriever,
    TextImageRetriever,
    inference_settings,
)

__all__ = ['BERTBackbone', 'BaseHead', 'BaseNeck', 'BatchRandomCrop', 'BatchRandomErasing',
           'BatchRandomFlip', 'CLIPTextTower', 'CLIPVisionTower', 'CMPMHead',
           'CrossEncoderRetriever', 'FeatureMixup', 'FusionBERT', 'FusionMLMHead',
           'HardestTripletHead', 'HardnessAwareContrastiveHead', 'IdentityHead', 'MLMHead',
           'MatchingHead', 'Pairs', 'PixelMixup', 'PooledBackbone', 'PretrainedRetriever',
           'ProjectionNeck', 'QCAlignHead', 'SDMHead', 'SigLIPTextTower', 'SigLIPVisionTower',
           'SigmoidHead', 'SimCLRHead', 'StrictPretrainedInit', 'SwinTower', 'TALHead',
           'TBPSCLIPHead', 'TextImagePreprocessor', 'TextImageRetriever', 'TokenSelectionNeck',
           'Tokens', 'Tower', 'inference_settings']
