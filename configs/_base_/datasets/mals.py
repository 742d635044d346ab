"""MALS under data/MALS to train on; judged on CUHK-PEDES, as its authors do."""

from mmengine.config import read_base

from mmtbps.datasets import MALS

with read_base():
    from .cuhk_pedes import *

train_dataloader.pop('batch_sampler')  # a person an image, with one caption
train_dataloader.dataset.update(type=MALS, data_root='data/MALS')
