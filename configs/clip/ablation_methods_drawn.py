"""The methods of the field at one budget: 300 drawn people, 450 steps, small towers of CLIP's make.

Run by `mmtbps ablation`, which prints paired differences from the first arm, seed by seed. With
three seeds at this size a difference under two points is noise. Each arm brings what its method has
beside the towers; where a loss takes everybody else for a stranger, a person stands once in a
batch.
"""

from mmengine.config import read_base

from mmtbps.datasets import RandomCountBatchSampler, UniquePersonBatchSampler
from mmtbps.datasets.transforms import CorruptCaption, DeleteWords, MaskCaption, PackTextImage
from mmtbps.engine import ConsensusDivisionHook, CosineDecayLR, WarmUpLR
from mmtbps.models import (
    ExplanationWeightHead,
    FusionTeacherHead,
    HardestTripletHead,
    HardnessAwareContrastiveHead,
    IdentityHead,
    MLMHead,
    NoiseMaskingHead,
    PrototypeAttentionHead,
    RestorationHead,
    SDMHead,
    SynTBPRHead,
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
    from .._base_.schedules.steps import *

drawn_size = 'small'
small = dict(data_root='data/DrawnPEDES_small')
train_cfg.update(max_iters=450, val_interval=150)
default_hooks.checkpoint.update(interval=150, max_keep_ckpts=1)
train_dataloader.pop('batch_sampler')
train_dataloader.dataset.update(small, pipeline=clip_train_pipeline)
val_dataloader.dataset.update(small, pipeline=clip_test_pipeline)
test_dataloader.dataset.update(small, pipeline=clip_test_pipeline)

contrastive = dict(type=HardnessAwareContrastiveHead, temperature=0.005)
strangers = {'train_dataloader.batch_sampler': dict(type=UniquePersonBatchSampler)}
sdm = dict(type=SDMHead)
identity = dict(type=IdentityHead, num_classes=2000, in_dims=96)
tse = dict(_delete_=True, type=TokenSelectionNeck, out_dims=96, selection_dims=192)
rde = {
    'model.heads': dict(bge=dict(type=TALHead), tse=dict(type=TALHead, part='tse')),
    'model.image_neck': dict(tse, side='image'), 'model.text_neck': dict(tse, side='text'),
    'custom_hooks': [*custom_hooks, dict(type=ConsensusDivisionHook)],
    'train_dataloader.dataset.pipeline': [
        *clip_train_pipeline[:-1], dict(type=CorruptCaption, prob=0.2), clip_train_pipeline[-1]]}
noise = {'train_dataloader.dataset.noise_rate': 0.5}

arms = [
    dict(name='InfoNCE at 0.005', options={'model.heads': dict(contrastive=contrastive),
                                           **strangers}),
    dict(name='+ neighbours weighed', options={
        'model.heads': dict(contrastive=dict(contrastive, neighbours=dict(nearest=5))),
        **strangers}),
    dict(name='+ explanation weights', options={
        'model.heads': dict(contrastive=dict(type=ExplanationWeightHead, head=contrastive)),
        **strangers}),
    dict(name='+ captions told anew', pairs='retold', options={
        'model.heads': dict(contrastive=contrastive), **strangers}),
    dict(name='+ fused teacher, after CMFF-KT', options={
        'model.heads': dict(contrastive=contrastive, fusion=dict(
            type=FusionTeacherHead, dims=96, num_heads=4, temperature=0.07)), **strangers}),
    dict(name='+ prototype attention, after PAD', options={
        'model.heads': dict(contrastive=contrastive, prototype=dict(
            type=PrototypeAttentionHead, num_classes=2000, dims=96)), **strangers}),
    dict(name='TBPS-CLIP, simplified', options={
        'model.heads': dict(tbps_clip=dict(type=TBPSCLIPHead)),
        'model.text_backbone.attn_drop': 0.05}),
    dict(name='SynTBPR', options={'model.heads': dict(syntbpr=dict(type=SynTBPRHead))}),
    dict(name='SDM', options={'model.heads': dict(sdm=sdm)}),
    dict(name='SDM, noise-aware masking (NAM)', options={
        'model.heads': dict(noise_masking=dict(type=NoiseMaskingHead, head=sdm))}),
    dict(name='IRRA', options={
        'model.heads': dict(
            sdm=sdm, identity=identity,
            mlm=dict(type=MLMHead, dims=96, num_layers=1, num_heads=4)),
        'train_dataloader.dataset.pipeline': [
            *clip_train_pipeline[:-1],
            dict(type=MaskCaption, prob=0.15),
            dict(type=PackTextImage, input_keys=['mlm_input_ids', 'mlm_labels'])]}),
    dict(name='SEN', options={
        'model.heads': dict(
            sdm=sdm, identity=identity,
            triplet=dict(type=HardestTripletHead, loss_weight=10.0),
            restoration=dict(type=RestorationHead, patch_size=8, stride=6, dims=96, num_layers=1,
                             num_heads=4, loss_weight=10.0)),
        'train_dataloader.batch_sampler': dict(type=RandomCountBatchSampler),
        'train_dataloader.dataset.pipeline': [
            *clip_train_pipeline[:-2], dict(type=DeleteWords, prob=0.05),
            *clip_train_pipeline[-2:]]}),
    dict(name='RDE', options=rde),
    dict(name='InfoNCE at 0.005, half of the captions moved', options={
        'model.heads': dict(contrastive=contrastive), **strangers, **noise}),
    dict(name='RDE, half of the captions moved', options={**rde, **noise}),
]
del small, contrastive, strangers, sdm, identity, tse, rde, noise  # settings of no run
