"""A run counted in steps: warm-up over a tenth of them, then cosine.

Stands behind the other parts. A config adds `max_iters` and `val_interval`, and how often to save.
"""

from mmengine.config import read_base
from mmengine.runner import IterBasedTrainLoop

from mmtbps.engine import CosineDecayLR, WarmUpLR

with read_base():
    from ..runtime import *

train_cfg = dict(type=IterBasedTrainLoop)
param_scheduler = [
    dict(type=WarmUpLR, start_factor=0.01, length=1 / 10, by_epoch=False),
    dict(type=CosineDecayLR, begin=1 / 10, by_epoch=False),
]
default_hooks.checkpoint.update(by_epoch=False)
log_processor.update(by_epoch=False)
