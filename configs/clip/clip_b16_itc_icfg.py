"""CLIP ViT-B/16 with its own contrastive loss on ICFG-PEDES; all else as for CUHK-PEDES."""

from mmengine.config import read_base

from mmtbps.datasets import ICFGPEDES

with read_base():
    from .clip_b16_itc_cuhk import *

source = dict(type=ICFGPEDES, data_root='data/ICFG-PEDES')
train_dataloader.dataset.update(source)
val_dataloader.dataset.update(source)
test_dataloader.dataset.update(source)
