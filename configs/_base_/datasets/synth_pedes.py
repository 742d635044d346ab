"""SYNTH-PEDES under data/SYNTH-PEDES to train on; judged on CUHK-PEDES."""

from mmengine.config import read_base

from mmtbps.datasets import SYNTHPEDES

with read_base():
    from .cuhk_pedes import *

train_dataloader.dataset.update(type=SYNTHPEDES, data_root='data/SYNTH-PEDES')
