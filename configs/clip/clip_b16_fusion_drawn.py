"""Towers of CLIP's make on DrawnPEDES, taught by a feature fused of caption and image."""

from mmengine.config import read_base

from mmtbps.models import FusionTeacherHead

with read_base():
    from .clip_b16_itc_drawn import *

model.heads.update(fusion=dict(type=FusionTeacherHead, dims=96, num_heads=4, temperature=0.07))
