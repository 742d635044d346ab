"""The model of a Runner without what distributed training puts around it."""

from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn

__all__ = ['inner_model']


def inner_model(runner: Runner) -> nn.Module:
    """Return the model itself, be it wrapped for several processes or not."""
    return runner.model.module if is_model_wrapper(runner.model) else runner.model
