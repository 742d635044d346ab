"""Low-rank adapters on towers of CLIP's make on DrawnPEDES; random towers unless it loads some."""

from mmengine.config import read_base

with read_base():
    from .clip_b16_itc_drawn import *

model.update(lora=dict(rank=8, alpha=16, dropout=0.0))
