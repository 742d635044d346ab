"""TBPS-CLIP, simplified, on CUHK-PEDES: normalised and reversed contrast, from CLIP."""

from mmengine.config import read_base

from mmtbps.models import TBPSCLIPHead

with read_base():
    from .._base_.datasets.cuhk_pedes import *
    from .._base_.models.clip_b16 import *
    from .._base_.pipelines.tbps_clip import *
    from .._base_.runtime import *
    from .._base_.schedules.tbps_clip_5e import *

load_from = './weights/clip_vit_b16.pth'
model.update(heads=dict(tbps_clip=dict(type=TBPSCLIPHead)))
model.image_backbone.update(img_size=(224, 224))
model.text_backbone.update(attn_drop=0.05)
# ImageNet's, not CLIP's.
model.data_preprocessor.update(mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375))
train_dataloader.pop('batch_sampler')  # a person may stand in a batch more than once
train_dataloader.update(batch_size=80, drop_last=True)
train_dataloader.dataset.update(pipeline=clip_train_pipeline)
val_dataloader.dataset.update(pipeline=clip_test_pipeline)
test_dataloader.dataset.update(pipeline=clip_test_pipeline)
