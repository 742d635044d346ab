"""CUHK-PEDES in the files of TBPS-CLIP, beside imgs."""

from mmengine.config import read_base

from mmtbps.datasets import TBPSCLIPFiles

with read_base():
    from .cuhk_pedes import *

source = dict(type=TBPSCLIPFiles, data_root='data/CUHK-PEDES')
train_dataloader.dataset.update(source)
val_dataloader.dataset.update(source)
test_dataloader.dataset.update(source)
