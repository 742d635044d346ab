"""HAM-PEDES, with the images of data/SYNTH-PEDES, to train on; judged on CUHK-PEDES."""

from mmengine.config import read_base

from mmtbps.datasets import HAMPEDES

with read_base():
    from .cuhk_pedes import *

train_dataloader.dataset.update(type=HAMPEDES, data_root='data/SYNTH-PEDES')
