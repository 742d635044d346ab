"""Convolutional towers on DrawnPEDES, more than three times as long: about 15 minutes of CPU."""

from mmengine.config import read_base

with read_base():
    from .conv_base_drawn import *

train_cfg.update(max_epochs=40, val_interval=5)
