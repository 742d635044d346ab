"""Version 2 of DrawnPEDES: harder people, and captions of one attribute up to all of them.

Drawn by `mmtbps draw data/DrawnPEDES-2 --version 2`.
"""

from mmengine.config import read_base

with read_base():
    from .drawn_pedes import *

for loader in (train_dataloader, val_dataloader, test_dataloader):
    loader.dataset.update(data_root='data/DrawnPEDES-2')
    loader.dataset.pipeline[-2].update(tokenizer='./data/DrawnPEDES-2/tokenizer')
del loader
