"""CLIP ViT-B/16 fine-tuned with its own contrastive loss on CUHK-PEDES: the plain baseline."""

from mmengine.config import read_base

from mmtbps.models import HardnessAwareContrastiveHead

with read_base():
    from .._base_.datasets.cuhk_pedes import *
    from .._base_.models.clip_b16 import *
    from .._base_.pipelines.clip import *
    from .._base_.runtime import *
    from .._base_.schedules.irra_60e import *

load_from = './weights/clip_vit_b16.pth'
# CLIP's temperature was learned and ended at its floor of 0.01.
model.update(heads=dict(contrastive=dict(
    type=HardnessAwareContrastiveHead, temperature=0.01, learnable=True, min_temperature=0.01)))
train_dataloader.dataset.update(pipeline=clip_train_pipeline)
val_dataloader.dataset.update(pipeline=clip_test_pipeline)
test_dataloader.dataset.update(pipeline=clip_test_pipeline)
