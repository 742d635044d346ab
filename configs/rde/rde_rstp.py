"""RDE on RSTPReid; all else as for CUHK-PEDES."""

from mmengine.config import read_base

from mmtbps.datasets import RSTPReid

with read_base():
    from .rde_cuhk import *

source = dict(type=RSTPReid, data_root='data/RSTPReid')
train_dataloader.dataset.update(source)
val_dataloader.dataset.update(source)
test_dataloader.dataset.update(source)
# The mixture as published for this data set.
custom_hooks[-1].update(max_iterations=100, tolerance=1e-4, floor=1e-6)
