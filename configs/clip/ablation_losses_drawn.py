"""The losses of the field on the same towers, data and number of steps, from random weights.

Run by `mmtbps ablation`. Each arm brings its heads, and what these cannot do without: a batch in
which a person stands once, where a loss takes everybody else for a stranger; masked captions;
dropout for labels that come from a second pass; the neck that selects tokens. All else is shared.
"""

from mmengine.config import read_base

from mmtbps.datasets import UniquePersonBatchSampler
from mmtbps.datasets.transforms import MaskCaption, PackTextImage
from mmtbps.models import (
    HardnessAwareContrastiveHead,
    IdentityHead,
    MLMHead,
    SDMHead,
    TALHead,
    TBPSCLIPHead,
    TokenSelectionNeck,
)

with read_base():
    from .._base_.datasets.drawn_pedes import *
    from .._base_.models.clip_drawn import *
    from .._base_.pipelines.clip_drawn import *
    from .._base_.runtime import *
    from .._base_.schedules.drawn import *

drawn_size = 'default'
train_cfg.update(max_epochs=4, val_interval=2)
param_scheduler[0].update(length=1 / 4)
param_scheduler[1].update(begin=1 / 4)
train_dataloader.pop('batch_sampler')
train_dataloader.dataset.update(pipeline=clip_train_pipeline)
val_dataloader.dataset.update(pipeline=clip_test_pipeline)
test_dataloader.dataset.update(pipeline=clip_test_pipeline)

arms = [
    dict(name='InfoNCE at 0.005', options={
        'model.heads.contrastive': dict(type=HardnessAwareContrastiveHead, temperature=0.005),
        'train_dataloader.batch_sampler': dict(type=UniquePersonBatchSampler)}),
    dict(name='ITC, learned temperature', options={
        'model.heads.contrastive': dict(
            type=HardnessAwareContrastiveHead, temperature=0.07, learnable=True,
            min_temperature=0.01),
        'train_dataloader.batch_sampler': dict(type=UniquePersonBatchSampler)}),
    dict(name='SDM', options={'model.heads.sdm': dict(type=SDMHead)}),
    dict(name='SDM + ID + MLM', options={
        'model.heads': dict(
            sdm=dict(type=SDMHead),
            identity=dict(type=IdentityHead, num_classes=2000, in_dims=96),
            mlm=dict(type=MLMHead, dims=96, num_layers=1, num_heads=4)),
        'train_dataloader.dataset.pipeline': [
            *clip_train_pipeline[:-1],
            dict(type=MaskCaption, prob=0.15),
            dict(type=PackTextImage, input_keys=['mlm_input_ids', 'mlm_labels'])]}),
    dict(name='TAL + TSE', options={
        'model.heads': dict(bge=dict(type=TALHead), tse=dict(type=TALHead, part='tse')),
        'model.image_neck': dict(
            _delete_=True, type=TokenSelectionNeck, side='image', out_dims=96, selection_dims=192),
        'model.text_neck': dict(
            _delete_=True, type=TokenSelectionNeck, side='text', out_dims=96, selection_dims=192)}),
    dict(name='N-ITC + R-ITC', options={
        'model.heads.tbps_clip': dict(type=TBPSCLIPHead),
        'model.text_backbone.attn_drop': 0.05}),
]
