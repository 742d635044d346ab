"""CUHK-PEDES in the files of APTM; icfg_*.json and rstp_*.json are the other two data sets."""

from mmengine.config import read_base

from mmtbps.datasets import APTMFiles

with read_base():
    from .cuhk_pedes import *

source = dict(type=APTMFiles, data_root='data/CUHK-PEDES', ann_file='cuhk_*.json')
train_dataloader.dataset.update(source)
val_dataloader.dataset.update(source)
test_dataloader.dataset.update(source)
