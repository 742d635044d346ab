"""Towers of CLIP's make with CLIP's contrastive loss, from random weights on DrawnPEDES."""

from mmengine.config import read_base

from mmtbps.models import HardnessAwareContrastiveHead

with read_base():
    from .._base_.datasets.drawn_pedes import *
    from .._base_.models.clip_drawn import *
    from .._base_.pipelines.clip_drawn import *
    from .._base_.runtime import *
    from .._base_.schedules.drawn import *

model.update(heads=dict(contrastive=dict(
    type=HardnessAwareContrastiveHead, temperature=0.07, learnable=True, min_temperature=0.01)))
train_dataloader.dataset.update(pipeline=clip_train_pipeline)
val_dataloader.dataset.update(pipeline=clip_test_pipeline)
test_dataloader.dataset.update(pipeline=clip_test_pipeline)
