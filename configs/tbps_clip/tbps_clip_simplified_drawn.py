"""TBPS-CLIP's normalised and reversed contrast on small towers, on DrawnPEDES."""

from mmengine.config import read_base

from mmtbps.models import TBPSCLIPHead

with read_base():
    from ..clip.clip_b16_itc_drawn import *

model.heads = dict(tbps_clip=dict(type=TBPSCLIPHead))
model.text_backbone.update(attn_drop=0.05)
train_dataloader.pop('batch_sampler')
