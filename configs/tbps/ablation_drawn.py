"""The paper's claims at toy scale: 300 drawn people, 450 steps, one change an arm.

Run by `mmtbps ablation`. Each arm is a set of overrides of this config; `pairs` names generated
pairs that train beside the originals, the number of steps staying the same.
"""

from mmengine.config import read_base

from mmtbps.models import FeatureMixup

with read_base():
    from .vit_bert_base_drawn import *
    from .._base_.schedules.steps import *

train_cfg.update(max_iters=450, val_interval=150)
default_hooks.checkpoint.update(interval=150, max_keep_ckpts=1)
drawn_size = 'small'
small = dict(data_root='data/DrawnPEDES_small')
train_dataloader.dataset.update(small)
val_dataloader.dataset.update(small)
test_dataloader.dataset.update(small)

text_generation = {'train_dataloader.dataset.pipeline': pdg_train_pipeline}
feature_mixup = {'model.mixup': dict(type=FeatureMixup, prob=0.5, weight=0.5, layer=1)}
arms = [
    dict(name='baseline (t 0.02)'),
    dict(name='t 0.07', options={'model.heads.contrastive.temperature': 0.07}),
    dict(name='t 0.005', options={'model.heads.contrastive.temperature': 0.005}),
    dict(name='+ text generation', options=text_generation),
    dict(name='+ feature mixup', options=feature_mixup),
    dict(name='+ renderer pairs', pairs='renderer'),
    dict(name='+ renderer pairs, kept from their originals', pairs='renderer',
         options={'train_dataloader.batch_sampler.distinct_by': 'family_ids'}),
    dict(name='+ recolor pairs', pairs='recolor'),
    dict(name='+ diffusion pairs', pairs='drawn'),
    dict(name='all: text generation, mixup, diffusion pairs', pairs='drawn',
         options={**text_generation, **feature_mixup}),
    dict(name='all, with renderer pairs', pairs='renderer',
         options={**text_generation, **feature_mixup}),
]
