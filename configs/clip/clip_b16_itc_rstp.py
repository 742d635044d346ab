"""CLIP ViT-B/16 with its own contrastive loss on RSTPReid; all else as for CUHK-PEDES."""

from mmengine.config import read_base

from mmtbps.datasets import RSTPReid

with read_base():
    from .clip_b16_itc_cuhk import *

source = dict(type=RSTPReid, data_root='data/RSTPReid')
train_dataloader.dataset.update(source)
val_dataloader.dataset.update(source)
test_dataloader.dataset.update(source)
