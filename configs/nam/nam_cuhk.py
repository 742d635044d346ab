"""Noise-aware masking of NAM on CUHK-PEDES: SDM on captions without the words nobody sees."""

from mmengine.config import read_base

from mmtbps.models import NoiseMaskingHead, SDMHead

with read_base():
    from .._base_.datasets.cuhk_pedes import *
    from .._base_.models.clip_b16 import *
    from .._base_.pipelines.clip import *
    from .._base_.runtime import *
    from .._base_.schedules.irra_60e import *

load_from = './weights/clip_vit_b16.pth'
model.update(heads=dict(
    noise_masking=dict(type=NoiseMaskingHead, head=dict(type=SDMHead, temperature=0.02))))
train_dataloader.pop('batch_sampler')  # a person may stand in a batch more than once
train_dataloader.dataset.update(pipeline=clip_train_pipeline)
val_dataloader.dataset.update(pipeline=clip_test_pipeline)
test_dataloader.dataset.update(pipeline=clip_test_pipeline)
