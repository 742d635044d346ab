"""Noise-aware masking on RSTPReid; all else as for CUHK-PEDES."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.rstp_reid import source
    from .nam_cuhk import *

train_dataloader.dataset.update(source)
val_dataloader.dataset.update(source)
test_dataloader.dataset.update(source)
