"""CTLG's recipe with CLIP's image tower beside BERT, on ICFG-PEDES."""

from mmengine.config import read_base

from mmtbps.datasets import ICFGPEDES

with read_base():
    from .clip_bert_base_cuhk import *

source = dict(type=ICFGPEDES, data_root='data/ICFG-PEDES')
train_dataloader.dataset.update(source)
val_dataloader.dataset.update(source)
test_dataloader.dataset.update(source)
