"""Dual Transformer on DrawnPEDES with 32 people x 2 pairs in a batch, a person's all positives."""

from mmengine.config import read_base

from mmtbps.datasets import IdentitySampler

with read_base():
    from .vit_bert_base_drawn import *

model.heads.contrastive.update(same_person='positive')
train_dataloader.pop('batch_sampler')
train_dataloader.batch_size = 64  # num_persons x num_instances
train_dataloader.sampler = dict(type=IdentitySampler, num_persons=32, num_instances=2)
