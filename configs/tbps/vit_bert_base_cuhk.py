"""Dual Transformer alone on CUHK-PEDES: the paper's baseline."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.cuhk_pedes import *
    from .._base_.models.vit_bert_base import *
    from .._base_.runtime import *
    from .._base_.schedules.paper_70e import *
