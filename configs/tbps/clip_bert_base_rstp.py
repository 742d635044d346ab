"""CTLG's recipe with CLIP's image tower beside BERT, on RSTPReid."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.rstp_reid import source
    from .clip_bert_base_cuhk import *

train_dataloader.dataset.update(source)
val_dataloader.dataset.update(source)
test_dataloader.dataset.update(source)
