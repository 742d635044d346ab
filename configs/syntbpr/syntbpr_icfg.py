"""SynTBPR's training on ICFG-PEDES and generated pairs; all else as for CUHK-PEDES."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.icfg_pedes import source
    from .syntbpr_cuhk import *

train_dataloader.dataset.update(source, pairs_root='data/ICFG-PEDES-pdg')
val_dataloader.dataset.update(source)
test_dataloader.dataset.update(source)
