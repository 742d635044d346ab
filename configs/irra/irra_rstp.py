"""IRRA on RSTPReid; all else as for CUHK-PEDES."""

from mmengine.config import read_base

from mmtbps.datasets import RSTPReid

with read_base():
    from .irra_cuhk import *

source = dict(type=RSTPReid, data_root='data/RSTPReid')
train_dataloader.dataset.update(source)
val_dataloader.dataset.update(source)
test_dataloader.dataset.update(source)
model.heads.identity.update(num_classes=3701)
