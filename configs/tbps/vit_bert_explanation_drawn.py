"""Dual Transformer on DrawnPEDES; pairs weigh more whose heat-map follows the background."""

from mmengine.config import read_base

from mmtbps.models import ExplanationWeightHead

with read_base():
    from .vit_bert_base_drawn import *

model.heads.contrastive = dict(
    type=ExplanationWeightHead, head=model.heads.contrastive, strength=1.0, area=(0.95, 0.6))
