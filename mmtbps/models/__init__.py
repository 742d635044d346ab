"""Models. ``OverlapViT`` is imported from ``mmtbps.models.backbones.vit``, where it is used."""

from .backbones import (
    BERTBackbone,
    CLIPTextTower,
    CLIPVisionTower,
    ConvTextTower,
    ConvVisionTower,
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
    ExplanationWeightHead,
    FusionMLMHead,
    FusionTeacherHead,
    HardestTripletHead,
    HardnessAwareContrastiveHead,
    IdentityHead,
    MatchingHead,
    MLMHead,
    NoiseMaskingHead,
    Pairs,
    PrototypeAttentionHead,
    QCAlignHead,
    RestorationHead,
    SDMHead,
    SecondCaptionHead,
    SigmoidHead,
    SimCLRHead,
    SynTBPRHead,
    TALHead,
    TBPSCLIPHead,
)
from .mixup import FeatureMixup, PixelMixup
from .necks import BaseNeck, ProjectionNeck, TokenSelectionNeck
from .preprocessor import TextImagePreprocessor
from .pretrained_init import StrictPretrainedInit
from .retrievers import CrossEncoderRetriever, PretrainedRetriever, TextImageRetriever
from .retrievers.inference import inference_settings

__all__ = ['BERTBackbone', 'BaseHead', 'BaseNeck', 'BatchRandomCrop', 'BatchRandomErasing',
           'BatchRandomFlip', 'CLIPTextTower', 'CLIPVisionTower', 'CMPMHead', 'ConvTextTower',
           'ConvVisionTower', 'CrossEncoderRetriever', 'ExplanationWeightHead', 'FeatureMixup',
           'FusionBERT', 'FusionMLMHead', 'FusionTeacherHead', 'HardestTripletHead',
           'HardnessAwareContrastiveHead', 'IdentityHead', 'MLMHead', 'MatchingHead',
           'NoiseMaskingHead', 'Pairs', 'PixelMixup', 'PooledBackbone', 'PretrainedRetriever',
           'ProjectionNeck', 'PrototypeAttentionHead', 'QCAlignHead', 'RestorationHead', 'SDMHead',
           'SecondCaptionHead', 'SigLIPTextTower', 'SigLIPVisionTower', 'SigmoidHead', 'SimCLRHead',
           'StrictPretrainedInit', 'SwinTower', 'SynTBPRHead', 'TALHead', 'TBPSCLIPHead',
           'TextImagePreprocessor', 'TextImageRetriever', 'TokenSelectionNeck', 'Tokens', 'Tower',
           'inference_settings']
