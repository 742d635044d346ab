"""CLIP ViT-B/16 trained further on MALS, each image a person, before a training on real people."""

from mmengine.config import read_base

from mmtbps.models import HardnessAwareContrastiveHead

with read_base():
    from .._base_.datasets.mals import *
    from .._base_.models.clip_b16 import *
    from .._base_.pipelines.clip import *
    from .._base_.runtime import *
    from .._base_.schedules.irra_60e import *

load_from = './weights/clip_vit_b16.pth'
model.update(heads=dict(contrastive=dict(
    type=HardnessAwareContrastiveHead, temperature=0.01, learnable=True, min_temperature=0.01)))
train_dataloader.update(batch_size=128)
train_dataloader.dataset.update(pipeline=clip_train_pipeline)
val_dataloader.dataset.update(pipeline=clip_test_pipeline)
test_dataloader.dataset.update(pipeline=clip_test_pipeline)
train_cfg.update(max_epochs=5)
auto_scale_lr.update(base_batch_size=128)
