"""Dual Transformer with generated pairs, text generation and feature mixup, on DrawnPEDES.

Pairs that a generation run has merged into `pairs_root` train beside the originals; the log says at
the start how many there are.
"""

from mmengine.config import read_base

from mmtbps.models import FeatureMixup

with read_base():
    from .vit_bert_base_drawn import *

# Beside the originals: of five ways tried on drawn people the best, see docs/reproduction.md.
model.update(mixup=dict(type=FeatureMixup, prob=1.0, weight=0.5, layer=1, mode='add'))
train_dataloader.dataset.update(pairs_root='data/DrawnPEDES-pdg-toy', pipeline=pdg_train_pipeline)
