"""UFine6926 under data/UFine6926; all else as for CUHK-PEDES."""

from mmengine.config import read_base

from mmtbps.datasets import UFine6926

with read_base():
    from .cuhk_pedes import *

source = dict(type=UFine6926, data_root='data/UFine6926')
train_dataloader.dataset.update(source)
val_dataloader.dataset.update(source)
test_dataloader.dataset.update(source)
