"""RDE on CUHK-PEDES of which a fifth of the captions belong to other pictures."""

from mmengine.config import read_base

with read_base():
    from .rde_cuhk import *

# The published index files name the captions: noise_index='data/CUHK-PEDES/NAME.npy' in its place.
train_dataloader.dataset.update(noise_rate=0.2)
