"""Noise-aware masking of NAM, around SDM, on small towers, from random weights on DrawnPEDES."""

from mmengine.config import read_base

from mmtbps.models import NoiseMaskingHead, SDMHead

with read_base():
    from ..clip.clip_b16_itc_drawn import *

model.heads = dict(
    noise_masking=dict(type=NoiseMaskingHead, head=dict(type=SDMHead, temperature=0.02)))
train_dataloader.pop('batch_sampler')
