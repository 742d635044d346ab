"""Convolutional towers on many drawn people, 2,500 steps, with wrong colours as negatives.

Meant for 8,000 people: `mmtbps draw data/DrawnPEDES --people 8000 100 200`.
Fewer are seen more often.
"""

from mmengine.config import read_base
from mmengine.runner import IterBasedTrainLoop

from mmtbps.datasets.transforms import PackTextImage, PermuteColors
from mmtbps.engine import CosineDecayLR, WarmUpLR
from mmtbps.models.heads import TextNegativesHead

with read_base():
    from .conv_base_drawn import *

model.heads.update(negatives=dict(type=TextNegativesHead, temperature=0.05))
train_dataloader.dataset.update(pipeline=[
    *partial_train_pipeline[:-1],
    dict(type=PermuteColors, tokenize=tokenize, count=2, replaced=True),
    dict(type=PackTextImage, input_keys=[*partial_keys, 'negative_input_ids', 'negative_real'])])
train_cfg = dict(type=IterBasedTrainLoop, max_iters=2500, val_interval=500)
param_scheduler = [
    dict(type=WarmUpLR, start_factor=0.01, length=1 / 10, by_epoch=False),
    dict(type=CosineDecayLR, begin=1 / 10, by_epoch=False),
]
default_hooks.checkpoint.update(interval=500, by_epoch=False)
log_processor.update(by_epoch=False)
