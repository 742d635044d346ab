"""CTLG's recipe with CLIP's image tower beside BERT, on ICFG-PEDES."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.icfg_pedes import source
    from .clip_bert_base_cuhk import *

train_dataloader.dataset.update(source)
val_dataloader.dataset.update(source)
test_dataloader.dataset.update(source)
