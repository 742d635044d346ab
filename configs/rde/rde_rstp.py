"""RDE on RSTPReid; all else as for CUHK-PEDES."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.rstp_reid import source
    from .rde_cuhk import *

train_dataloader.dataset.update(source)
val_dataloader.dataset.update(source)
test_dataloader.dataset.update(source)
# The mixture as published for this data set.
custom_hooks[-1].update(max_iterations=100, tolerance=1e-4, floor=1e-6)
