"""CLIP ViT-B/16 at 384 x 128 with its text Transformer, projected to 512 dimensions; no head."""

from mmtbps.models import (
    CLIPTextTower,
    CLIPVisionTower,
    ProjectionNeck,
    TextImagePreprocessor,
    TextImageRetriever,
)

model = dict(
    type=TextImageRetriever,
    data_preprocessor=dict(
        type=TextImagePreprocessor,
        mean=(122.7709383, 116.7460125, 104.09373615),
        std=(68.5005327, 66.6321579, 70.32316305),
        max_length=77),
    image_backbone=dict(type=CLIPVisionTower, img_size=(384, 128)),
    text_backbone=dict(type=CLIPTextTower),
    image_neck=dict(type=ProjectionNeck, out_dims=512),
    text_neck=dict(type=ProjectionNeck, out_dims=512),
    heads=dict(),
)
