"""ALBEF's three losses on a small cross-encoder, from random weights on DrawnPEDES."""

from mmengine.config import read_base

from mmtbps.datasets.transforms import MaskCaption, PackTextImage

with read_base():
    from .._base_.datasets.drawn_pedes import *
    from .._base_.models.albef_drawn import *
    from .._base_.runtime import *
    from .._base_.schedules.drawn import *

train_dataloader.pop('batch_sampler')
train_dataloader.dataset.update(pipeline=[
    *train_pipeline[:-1],
    dict(type=MaskCaption, tokenizer='./data/DrawnPEDES/tokenizer', prob=0.25),
    dict(type=PackTextImage, input_keys=['mlm_input_ids', 'mlm_labels']),
])
