"""Mixtures of adapters on small towers on DrawnPEDES; random towers unless it loads some."""

from mmengine.config import read_base

with read_base():
    from ..up_person.up_person_drawn import *

model.peft = dict(mixture=dict(experts=6, chosen=2, reduction=8, balance=0.5))
