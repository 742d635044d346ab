"""PAB under data/PAB: trained and tested on it, a hundredth of train held out to choose by."""

from mmengine.config import read_base

from mmtbps.datasets import PAB

with read_base():
    from .cuhk_pedes import *

train_dataloader.pop('batch_sampler')  # a person an image, with one caption
source = dict(type=PAB, data_root='data/PAB', holdout=10_000)
train_dataloader.dataset.update(source)
val_dataloader.dataset.update(source)
test_dataloader.dataset.update(source, holdout=0)
