"""CLIP ViT-B/16 fine-tuned on CUHK-PEDES after `clip_b16_itc_mals`."""

from mmengine.config import read_base

with read_base():
    from .clip_b16_itc_cuhk import *

load_from = './work_dirs/clip_b16_itc_mals/epoch_5.pth'
optim_wrapper.optimizer.update(lr=5e-6)  # half of what a training from CLIP takes
