"""Convolutional towers on DrawnPEDES, wider, deeper and longer: a quarter of an hour of CPU."""

from mmengine.config import read_base

with read_base():
    from .conv_base_drawn import *

model.image_backbone.update(width=96, depths=(1, 2), out_dims=128)
model.text_backbone.update(width=128, depth=2, out_dims=128)
train_cfg.update(max_epochs=30, val_interval=5)
