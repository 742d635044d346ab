"""Dual Transformer on DrawnPEDES with captions whose colors are on other things as negatives.

Its arms, for `mmtbps ablation`, are in `ablation_binding_drawn.py`; `mmtbps binding` measures what
they are for.
"""

from mmengine.config import read_base

from mmtbps.datasets.transforms import PackTextImage, PermuteColors
from mmtbps.models.heads import TextNegativesHead

with read_base():
    from .vit_bert_base_drawn import *

model.heads.update(negatives=dict(type=TextNegativesHead, temperature=0.02))
negatives_train_pipeline = [
    *train_pipeline[:-1],
    dict(type=PermuteColors, tokenize=tokenize, count=2),
    dict(type=PackTextImage, input_keys=['negative_input_ids', 'negative_real']),
]
train_dataloader.dataset.update(pipeline=negatives_train_pipeline)
