"""Dual Transformer on DrawnPEDES at 0.005; captions alike to that of a pair count less against it.

At so low a temperature the loss is nearly that of the hardest negatives, and two people who are
described alike are the hardest of all.
"""

from mmengine.config import read_base

with read_base():
    from .vit_bert_base_drawn import *

model.heads.contrastive.update(
    temperature=0.005,
    neighbours=dict(nearest=5, first_cosine=0.8, second_cosine=0.6, shared=2, first_weight=0.1,
                    second_weight=0.3))
