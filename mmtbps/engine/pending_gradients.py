"""Gradients of steps since the last update, where several steps make one."""

import torch
from mmengine.dist import gather_object, get_rank, get_world_size
from mmengine.optim import OptimWrapperDict
from mmengine.runner import Runner

from .inner_model import inner_model

__all__ = ['gather_pending', 'restore_pending']


def gather_pending(runner: Runner) -> list[dict[str, torch.Tensor]] | None:
    """Gather the gradients that every process has added up since the last update.

    A checkpoint between two updates (``accumulative_counts`` that do not divide the steps of an
    epoch) has to hold them: a run that goes on without them makes an update of too few steps.

    Args:
        runner: of any number of processes, which all call this.

    Returns:
        In the first process gradients by name, for each process; ``None`` in the others, or if the
        last step was an update.
    """
    wrapper = runner.optim_wrapper
    wrappers = wrapper.values() if isinstance(wrapper, OptimWrapperDict) else [wrapper]
    if all(one.should_update() for one in wrappers):
        return None
    return gather_object({name: weight.grad.cpu()
                          for name, weight in inner_model(runner).named_parameters()
                          if weight.grad is not None})


def restore_pending(runner: Runner, gathered: list[dict[str, torch.Tensor]]) -> None:
    """Give every process the gradients it had.

    Args:
        runner: resumed where they were gathered.
        gathered: from :func:`gather_pending`. Of another number of processes, their mean is given
            to each.
    """
    if len(gathered) == get_world_size():
        own = gathered[get_rank()]
    else:
        own = {name: sum(one[name] for one in gathered) / len(gathered) for name in gathered[0]}
    for name, weight in inner_model(runner).named_parameters():
        if name in own:
            weight.grad = own[name].to(weight.device)
    runner.logger.info('The gradients of the steps since the last update were in the checkpoint: '
                       'none is lost')
