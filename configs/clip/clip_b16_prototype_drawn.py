"""Towers of CLIP's make on DrawnPEDES, looking at patches as prototypes of people do."""

from mmengine.config import read_base

from mmtbps.models import PrototypeAttentionHead

with read_base():
    from .clip_b16_itc_drawn import *

model.heads.update(
    prototype=dict(type=PrototypeAttentionHead, num_classes=2000, dims=96, temperature=0.1))
