"""ITCPR under data/ITCPR to test on, by its captions alone; trained on CUHK-PEDES."""

from mmengine.config import read_base

from mmtbps.datasets import ITCPR

with read_base():
    from .cuhk_pedes import *

test_dataloader.dataset.update(type=ITCPR, data_root='data/ITCPR')
