"""RaSa's towers on CUHK-PEDES with ALBEF's three losses, from ALBEF's pre-training."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.cuhk_pedes import *
    from .._base_.models.albef import *
    from .._base_.pipelines.albef import *
    from .._base_.runtime import *
    from .._base_.schedules.albef_30e import *

load_from = './weights/albef_384.pth'
optim_wrapper.optimizer.update(lr=1e-5)
train_dataloader.update(batch_size=16)
train_dataloader.pop('batch_sampler')  # pairs of one person are positives of each other
train_dataloader.dataset.update(pipeline=albef_train_pipeline)
val_dataloader.dataset.update(pipeline=albef_test_pipeline)
test_dataloader.dataset.update(pipeline=albef_test_pipeline)
