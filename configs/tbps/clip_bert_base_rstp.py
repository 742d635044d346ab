"""CTLG's recipe with CLIP's image tower beside BERT, on RSTPReid."""

from mmengine.config import read_base

from mmtbps.datasets import RSTPReid

with read_base():
    from .clip_bert_base_cuhk import *

source = dict(type=RSTPReid, data_root='data/RSTPReid')
train_dataloader.dataset.update(source)
val_dataloader.dataset.update(source)
test_dataloader.dataset.update(source)
