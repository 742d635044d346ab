"""Captions of one thing, of two, of four and of all that can be seen, to train on.

Run by `mmtbps ablation`. After a claim of arXiv 2507.07985: that dense, complete captions decide
whether a model binds attributes to what has them. Images, people, steps and the captions to select
and to test on, from one thing to all, are the same in every arm.
"""

from mmengine.config import read_base
from mmengine.runner import IterBasedTrainLoop

from mmtbps.engine import CosineDecayLR, WarmUpLR

with read_base():
    from .vit_bert_base_v2_drawn import *

train_cfg = dict(type=IterBasedTrainLoop, max_iters=300, val_interval=150)
param_scheduler = [
    dict(type=WarmUpLR, start_factor=0.01, length=1 / 10, by_epoch=False),
    dict(type=CosineDecayLR, begin=1 / 10, by_epoch=False),
]
default_hooks.checkpoint.update(interval=150, by_epoch=False, max_keep_ckpts=1)
log_processor.update(by_epoch=False)
drawn_size = 'default'
drawn_version = 2

arms = [
    dict(name='one thing', facts=1),
    dict(name='two things', facts=2),
    dict(name='four things', facts=4),
    dict(name='all things', facts='all'),
]
