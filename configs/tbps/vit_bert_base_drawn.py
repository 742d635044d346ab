"""Dual Transformer alone on DrawnPEDES."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.drawn_pedes import *
    from .._base_.models.vit_bert_drawn import *
    from .._base_.runtime import *
    from .._base_.schedules.drawn import *
