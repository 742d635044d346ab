"""TBPS-CLIP on CUHK-PEDES: with cyclic contrast, a second view, and images among themselves."""

from mmengine.config import read_base

from mmtbps.models import SimCLRHead, TBPSCLIPHead

with read_base():
    from .tbps_clip_simplified_cuhk import *

model.heads = dict(
    tbps_clip=dict(type=TBPSCLIPHead, citc_weight=0.1, second_view='second'),
    simclr=dict(type=SimCLRHead, loss_weight=0.4))
train_dataloader.dataset.update(pipeline=views_train_pipeline)
