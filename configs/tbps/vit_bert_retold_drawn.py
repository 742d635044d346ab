"""Dual Transformer on DrawnPEDES and captions that a rewriter has told anew."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.drawn_retold import source
    from .vit_bert_base_drawn import *

train_dataloader.dataset.update(source)
