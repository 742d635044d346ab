"""Gradients of steps since the last update, where several steps make one."""

from collections.abc import Mapping
from typing import Any

from mmengine.dist import gather_object, get_rank, get_world_size
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner

from .inner_model import inner_model

__all__ = ['gather_pending', 'restore_pending']


def gather_pending(runner: Runner) -> dict[str, Any] | None:
    """Gather the gradients that every process has added up since the last update.

    A checkpoint between two updates (``accumulative_counts`` that do not divide the steps of an
    epoch) has to hold them: a run that goes on without them makes an update of too few steps.

    Args:
        runner: of any number of processes, which all call this.

    Returns:
        In the first process what :func:`restore_pending` takes; ``None`` in the others, or if the
        last step was an update.
    """
    if all(wrapper.should_update() for wrapper in _wrappers(runner)):
        return None
    gathered = gather_object({name: weight.grad.cpu()
                              for name, weight in inner_model(runner).named_parameters()
                              if weight.grad is not None})
    return dict(counts=_counts(runner), processes=gathered) if gathered else None


def restore_pending(runner: Runner, pending: Mapping[str, Any]) -> None:
    """Give every process the gradients it had.

    Of another number of processes, the mean is given to each. If the config now accumulates over
    another number of steps, whose gradients have another scale, they are left out.

    Args:
        runner: resumed where they were gathered.
        pending: from :func:`gather_pending`.
    """
    if pending['counts'] != _counts(runner):
        runner.logger.info('The gradients of the steps since the last update are left out: '
                           'accumulative_counts has changed')
        return
    gathered = pending['processes']
    if len(gathered) == get_world_size():
        own = gathered[get_rank()]
    else:
        own = {name: sum(one[name] for one in gathered) / len(gathered) for name in gathered[0]}
    for name, weight in inner_model(runner).named_parameters():
        if name in own:
            weight.grad = own[name].to(weight.device)
    runner.logger.info('The gradients of the steps since the last update were in the checkpoint: '
                       'none is lost')


def _wrappers(runner: Runner) -> list[OptimWrapper]:
    wrapper = runner.optim_wrapper
    return [*wrapper.values()] if isinstance(wrapper, OptimWrapperDict) else [wrapper]


def _counts(runner: Runner) -> list[int]:
    """List the numbers of steps of which one update is made."""
    return [wrapper._accumulative_counts for wrapper in _wrappers(runner)]
