"""LUPerson-MLLM under data/LUPerson-MLLM to train on; judged on CUHK-PEDES."""

from mmengine.config import read_base

from mmtbps.datasets import LUPersonMLLM

with read_base():
    from .cuhk_pedes import *

train_dataloader.dataset.update(type=LUPersonMLLM, data_root='data/LUPerson-MLLM')
