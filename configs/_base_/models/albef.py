"""ALBEF: ViT-B/16 at 384 x 384, and BERT-base whose last six layers read the image."""

from mmtbps.models import (
    CrossEncoderRetriever,
    FusionBERT,
    FusionMLMHead,
    HardnessAwareContrastiveHead,
    MatchingHead,
    ProjectionNeck,
    TextImagePreprocessor,
)
from mmtbps.models.backbones.vit import OverlapViT

model = dict(
    type=CrossEncoderRetriever,
    data_preprocessor=dict(
        type=TextImagePreprocessor,
        mean=(122.7709383, 116.7460125, 104.09373615),
        std=(68.5005327, 66.6321579, 70.32316305)),
    image_backbone=dict(type=OverlapViT, arch='base', img_size=(384, 384), stride=16,
                        interpolate_mode='bicubic'),
    text_backbone=dict(type=FusionBERT, text_layers=6),
    image_neck=dict(type=ProjectionNeck, out_dims=256, bias=True),
    text_neck=dict(type=ProjectionNeck, out_dims=256, bias=True),
    heads=dict(
        itc=dict(type=HardnessAwareContrastiveHead, temperature=0.07, learnable=True,
                 min_temperature=0.001, same_person='positive'),
        itm=dict(type=MatchingHead),
        mlm=dict(type=FusionMLMHead)),
)
