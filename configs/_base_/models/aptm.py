"""APTM: Swin-B at 384 x 128, and BERT-base whose last six layers read the image."""

from mmtbps.models import (
    CrossEncoderRetriever,
    FusionBERT,
    FusionMLMHead,
    HardnessAwareContrastiveHead,
    MatchingHead,
    ProjectionNeck,
    SecondCaptionHead,
    SwinTower,
    TextImagePreprocessor,
)

model = dict(
    type=CrossEncoderRetriever,
    data_preprocessor=dict(  # colors of CUHK-PEDES
        type=TextImagePreprocessor,
        mean=(99.1982739, 93.116106, 88.8327318),
        std=(62.0779803, 60.4867385, 59.5899153)),
    image_backbone=dict(type=SwinTower, img_size=(384, 128)),
    text_backbone=dict(type=FusionBERT, text_layers=6, image_dims=1024),
    image_neck=dict(type=ProjectionNeck, out_dims=256, bias=True),
    text_neck=dict(type=ProjectionNeck, out_dims=256, bias=True),
    match_dims=1536,
    heads=dict(
        itc=dict(type=SecondCaptionHead, weight=0.8, head=dict(
            type=HardnessAwareContrastiveHead, temperature=0.07, learnable=True,
            min_temperature=0.001, same_person='positive')),
        itm=dict(type=SecondCaptionHead, weight=0.8, head=dict(type=MatchingHead)),
        mlm=dict(type=FusionMLMHead)),
)
