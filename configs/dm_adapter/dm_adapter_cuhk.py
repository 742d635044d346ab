"""DM-Adapter on CUHK-PEDES: CLIP stays as it is, beside mixtures of adapters."""

from mmengine.config import read_base

with read_base():
    from ..up_person.up_person_cuhk import *

model.peft = dict(mixture=dict(experts=6, chosen=2, reduction=8, balance=0.5))
optim_wrapper.optimizer.update(lr=3e-4)
