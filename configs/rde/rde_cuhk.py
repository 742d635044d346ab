"""RDE on CUHK-PEDES: triplet alignment of two parts of the feature, noisy pairs left out."""

from mmengine.config import read_base

from mmtbps.datasets.transforms import CorruptCaption
from mmtbps.engine import ConsensusDivisionHook
from mmtbps.models import TALHead, TokenSelectionNeck

with read_base():
    from .._base_.datasets.cuhk_pedes import *
    from .._base_.models.clip_b16 import *
    from .._base_.pipelines.clip import *
    from .._base_.runtime import *
    from .._base_.schedules.irra_60e import *

load_from = './weights/clip_vit_b16.pth'
model.update(
    image_neck=dict(type=TokenSelectionNeck, side='image', out_dims=512),
    text_neck=dict(type=TokenSelectionNeck, side='text', out_dims=512),
    heads=dict(bge=dict(type=TALHead), tse=dict(type=TALHead, part='tse')))
model.text_backbone.update(filler_id=0)  # "!" is the id of padding, and is not selected
custom_hooks = [*custom_hooks, dict(type=ConsensusDivisionHook)]
optim_wrapper.paramwise_cfg.rules.append(dict(contains=['neck.fc', 'neck.mlp'], lr=1e-3))
train_dataloader.pop('batch_sampler')  # a person may stand in a batch more than once
train_dataloader.dataset.update(pipeline=[
    *clip_train_pipeline[:-1],
    dict(type=CorruptCaption, prob=0.2),
    clip_train_pipeline[-1],
])
val_dataloader.dataset.update(pipeline=clip_test_pipeline)
test_dataloader.dataset.update(pipeline=clip_test_pipeline)
