"""APTM's three losses on CUHK-PEDES, from its pre-training on MALS."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.cuhk_pedes import *
    from .._base_.models.aptm import *
    from .._base_.pipelines.aptm import *
    from .._base_.runtime import *
    from .._base_.schedules.albef_30e import *

load_from = './weights/aptm_mals.pth'
train_dataloader.update(batch_size=120)
train_dataloader.pop('batch_sampler')  # pairs of one person are positives of each other
train_dataloader.dataset.update(pipeline=aptm_train_pipeline)
val_dataloader.dataset.update(pipeline=aptm_test_pipeline)
test_dataloader.dataset.update(pipeline=aptm_test_pipeline)
