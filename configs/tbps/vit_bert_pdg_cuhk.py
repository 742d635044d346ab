"""Dual Transformer with generated pairs, approximate text generation and feature mixup.

Pairs that a generation run has merged into `pairs_root` train beside the originals; the log says at
the start how many there are.
"""

from mmengine.config import read_base

from mmtbps.models import FeatureMixup

with read_base():
    from .vit_bert_base_cuhk import *

model.update(mixup=dict(type=FeatureMixup, prob=0.5, weight=0.5, layer=1))
train_dataloader.dataset.update(pairs_root='data/CUHK-PEDES-pdg', pipeline=pdg_train_pipeline)
