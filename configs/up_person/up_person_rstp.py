"""UP-Person on RSTPReid, with smaller steps; all else as for CUHK-PEDES."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.rstp_reid import source
    from .up_person_cuhk import *

train_dataloader.dataset.update(source)
val_dataloader.dataset.update(source)
test_dataloader.dataset.update(source)
optim_wrapper.optimizer.update(lr=1e-4)
