"""Feature mixup at toy scale: in the place of the originals, beside them, and with other partners.

Run by `mmtbps ablation`, at 450 steps and with `--steps 1350`. All arms train on 64 pairs a step;
'beside' runs both towers on them twice.
"""

from mmengine.config import read_base

from mmtbps.engine import FeatureMixupHook
from mmtbps.models import FeatureMixup

with read_base():
    from .ablation_drawn import *

arms = [
    dict(name='baseline'),
    dict(name='mixup in their place', options=feature_mixup),
    dict(name='in their place, off after two thirds', options={
        **feature_mixup,
        'custom_hooks': [*custom_hooks,
                         dict(type=FeatureMixupHook, milestones={0: 0.5, 2 / 3: 0.0})]}),
    dict(name='mixup beside them', options={
        'model.mixup': dict(type=FeatureMixup, prob=1.0, weight=0.5, layer=1, mode='add')}),
    # The second half of a batch are partners alone.
    dict(name='partners from outside the batch', options={
        'model.mixup': dict(type=FeatureMixup, prob=0.5, weight=0.5, layer=1, partner='outside'),
        'train_dataloader.batch_size': 128}),
]
