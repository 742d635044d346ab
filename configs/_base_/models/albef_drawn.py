"""A cross-encoder for two CPU cores: 64 x 24 pixels, four layers of BERT, two of them of fusion."""

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
    data_preprocessor=dict(type=TextImagePreprocessor),
    image_backbone=dict(
        type=OverlapViT,
        arch=dict(embed_dims=96, num_layers=3, num_heads=4, feedforward_channels=384),
        img_size=(64, 24),
        patch_size=8,
        stride=8),
    text_backbone=dict(
        type=FusionBERT,
        width=96,
        depth=4,
        heads=4,
        mlp_width=384,
        text_layers=2,
        image_dims=96,
        vocab_size=1024,
        context_length=64,
        dropout=0.0),
    image_neck=dict(type=ProjectionNeck, out_dims=96, bias=True),
    text_neck=dict(type=ProjectionNeck, out_dims=96, bias=True),
    heads=dict(
        itc=dict(type=HardnessAwareContrastiveHead, temperature=0.07, learnable=True,
                 min_temperature=0.01, same_person='positive'),
        itm=dict(type=MatchingHead),
        mlm=dict(type=FusionMLMHead, dims=96, vocab_size=1024)),
)
