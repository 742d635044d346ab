"""Towers of CLIP's make for two CPU cores: 64 x 24 pixels in overlapping patches, 96 wide."""

from mmtbps.models import (
    CLIPTextTower,
    CLIPVisionTower,
    ProjectionNeck,
    TextImagePreprocessor,
    TextImageRetriever,
)

model = dict(
    type=TextImageRetriever,
    data_preprocessor=dict(type=TextImagePreprocessor, max_length=77),
    image_backbone=dict(type=CLIPVisionTower, width=96, depth=3, heads=4, patch_size=8, stride=6,
                        img_size=(64, 24)),
    text_backbone=dict(type=CLIPTextTower, width=96, depth=2, heads=4),
    image_neck=dict(type=ProjectionNeck, out_dims=96),
    text_neck=dict(type=ProjectionNeck, out_dims=96),
    heads=dict(),
)
