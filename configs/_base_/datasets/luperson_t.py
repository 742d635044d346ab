"""LUPerson-T, made files by convert-data, to train on; judged on CUHK-PEDES."""

from mmengine.config import read_base

from mmtbps.datasets import LUPersonT

with read_base():
    from .cuhk_pedes import *

train_dataloader.dataset.update(
    type=LUPersonT, data_root='data/LUPerson-T', ann_file='pairs.jsonl')
