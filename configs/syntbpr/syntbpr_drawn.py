"""SynTBPR's two contrasts on small towers, on DrawnPEDES and the pairs of a generation run."""

from mmengine.config import read_base

from mmtbps.models import SynTBPRHead

with read_base():
    from ..clip.clip_b16_itc_drawn import *

model.heads = dict(syntbpr=dict(type=SynTBPRHead, share=0.005))
train_dataloader.pop('batch_sampler')
train_dataloader.dataset.update(pairs_root='data/DrawnPEDES-pdg-toy')
