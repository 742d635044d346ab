"""CLIP ViT-B/16 on CUHK-PEDES by low-rank adapters: the towers stay as they are."""

from mmengine.config import read_base
from torch.optim import AdamW

with read_base():
    from .clip_b16_itc_cuhk import *

model.update(lora=dict(rank=8, alpha=16, dropout=0.0))
# Adapters begin at nothing and take larger steps than the projections, which are trained weights.
optim_wrapper.update(
    optimizer=dict(type=AdamW, lr=2e-4, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01),
    paramwise_cfg=dict(rules=[dict(contains=['neck', 'heads'], lr=1e-5),
                              dict(max_ndim=1, weight_decay=0.)]))
