"""WebPerson under data/WebPerson to train on; judged on CUHK-PEDES."""

from mmengine.config import read_base

from mmtbps.datasets import WebPerson

with read_base():
    from .cuhk_pedes import *

train_dataloader.dataset.update(type=WebPerson, data_root='data/WebPerson')
