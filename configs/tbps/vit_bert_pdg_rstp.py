"""Dual Transformer with approximate text generation and feature-level mixup."""

from mmengine.config import read_base

from mmtbps.models import FeatureMixup

with read_base():
    from .vit_bert_base_rstp import *

model.update(mixup=dict(type=FeatureMixup, prob=0.5, weight=0.5, layer=1))
train_dataloader.dataset.update(pipeline=pdg_train_pipeline)
