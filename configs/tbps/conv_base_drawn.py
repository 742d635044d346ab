"""Convolutional towers on DrawnPEDES; what `make demo` trains."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.drawn_pedes import *
    from .._base_.models.conv_drawn import *
    from .._base_.runtime import *
    from .._base_.schedules.drawn import *

optim_wrapper.optimizer.update(lr=2e-3)
