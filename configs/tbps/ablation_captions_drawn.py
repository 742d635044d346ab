"""Captions of one thing, of two, of four and of all that can be seen, to train on.

Run by `mmtbps ablation`. After a claim of arXiv 2507.07985: that dense, complete captions decide
whether a model binds attributes to what has them. Images, people, steps and the captions to select
and to test on, from one thing to all, are the same in every arm.
"""

from mmengine.config import read_base

with read_base():
    from .vit_bert_base_v2_drawn import *
    from .._base_.schedules.steps import *

train_cfg.update(max_iters=300, val_interval=150)
default_hooks.checkpoint.update(interval=150, max_keep_ckpts=1)
drawn_size = 'default'
drawn_version = 2

arms = [
    dict(name='one thing', facts=1),
    dict(name='two things', facts=2),
    dict(name='four things', facts=4),
    dict(name='all things', facts='all'),
]
