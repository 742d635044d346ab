"""Towers of CLIP's make for two CPU cores: 64 x 24 pixels in overlapping patches, 96 wide."""

from mmengine.config import read_base

with read_base():
    from .clip_b16 import *

model.data_preprocessor.pop('mean')
model.data_preprocessor.pop('std')
model.image_backbone.update(width=96, depth=3, heads=4, patch_size=8, stride=6, img_size=(64, 24))
model.text_backbone.update(width=96, depth=2, heads=4)
model.image_neck.update(out_dims=96)
model.text_neck.update(out_dims=96)
