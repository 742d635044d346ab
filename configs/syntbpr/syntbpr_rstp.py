"""SynTBPR's training on RSTPReid and generated pairs; all else as for CUHK-PEDES."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.rstp_reid import source
    from .syntbpr_cuhk import *

train_dataloader.dataset.update(source, pairs_root='data/RSTPReid-pdg')
val_dataloader.dataset.update(source)
test_dataloader.dataset.update(source)
