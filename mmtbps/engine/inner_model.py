"""The model of a Runner without what distributed training puts around it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn
from torch.distributed.fsdp import FullyShardedDataParallel
from torch.nn.utils import clip_grad_norm_

__all__ = ['inner_model', 'joint_clipping', 'whole_model']


def inner_model(runner: Runner) -> nn.Module:
    """Return the model itself, be it wrapped for several processes or not."""
    return runner.model.module if is_model_wrapper(runner.model) else runner.model


@contextmanager
def whole_model(runner: Runner, writeback: bool = False) -> Iterator[nn.Module]:
    """Give the model itself with all its weights, of which FSDP leaves each process a share.

    All processes do this together.

    Args:
        runner: its model may be wrapped.
        writeback: keep what is changed of the weights.
    """
    if isinstance(runner.model, FullyShardedDataParallel):
        with FullyShardedDataParallel.summon_full_params(runner.model, writeback=writeback):
            yield inner_model(runner)
    else:
        yield inner_model(runner)


def joint_clipping(model: nn.Module, clip: Callable[..., Any]) -> Callable[..., Any]:
    """Return what clips gradients by the norm of all, of which FSDP leaves each process a share.

    Args:
        model: may be wrapped.
        clip: of an optimizer wrapper; any but torch's clipping by norm stays as it is.

    Example:
        >>> joint_clipping(nn.Linear(1, 1), clip_grad_norm_) is clip_grad_norm_
        True
    """
    if not isinstance(model, FullyShardedDataParallel) or clip is not clip_grad_norm_:
        return clip
    return lambda weights, **options: model.clip_grad_norm_(**options)
