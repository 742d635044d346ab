"""Learning rate of every step of a run, without running it."""

from collections.abc import Mapping

import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIMIZERS

from mmtbps.registry import PARAM_SCHEDULERS

from .step_loop_hook import goes_by_epoch, in_steps

__all__ = ['learning_rates']


def learning_rates(cfg: Config, epoch_length: int) -> list[float]:
    """Compute the base learning rate of every step, as a Runner sets it.

    Args:
        cfg: with ``optim_wrapper``, ``param_scheduler`` and ``train_cfg``.
        epoch_length: steps of an epoch.

    Example:
        >>> cfg = Config(dict(
        ...     optim_wrapper=dict(optimizer=dict(type='SGD', lr=1.)), train_cfg=dict(max_epochs=3),
        ...     param_scheduler=dict(type='MultiStepLR', milestones=[1], by_epoch=True)))
        >>> [round(rate, 3) for rate in learning_rates(cfg, epoch_length=2)]
        [1.0, 1.0, 0.1, 0.1, 0.1, 0.1]
    """
    epochs, steps = cfg.train_cfg.get('max_epochs', 1), cfg.train_cfg.get('max_iters')
    by_steps, steps = steps is not None, steps or epochs * epoch_length
    wrapper = OptimWrapper(OPTIMIZERS.build(dict(
        cfg.optim_wrapper.optimizer, params=[torch.zeros(1, requires_grad=True)])))
    settings = cfg.get('param_scheduler') or []
    schedulers = []
    for one in [settings] if isinstance(settings, Mapping) else settings:
        one = in_steps(one, steps, epoch_length) if by_steps and goes_by_epoch(one) else dict(one)
        one.setdefault('end', epochs if one.get('by_epoch', True) else steps)
        schedulers.append(PARAM_SCHEDULERS.build(
            one, default_args=dict(optimizer=wrapper, epoch_length=epoch_length)))
    rates = []
    for step in range(1, steps + 1):
        rates.append(wrapper.param_groups[0]['lr'])
        wrapper.optimizer.step()
        for scheduler in schedulers:
            if not scheduler.by_epoch or (not by_steps and step % epoch_length == 0):
                scheduler.step()
    return rates
