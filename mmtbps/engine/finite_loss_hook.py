"""Stops a run whose loss is no longer a number."""

import torch
from mmengine.hooks import Hook

from mmtbps.registry import HOOKS


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Raises as soon as a checked loss is infinite or NaN, before a checkpoint keeps the damage.

    Args:
        interval: check every this many iterations (a check waits for the device), and always
            at the end of an epoch.
    """

    priority = 'HIGH'  # before the checkpoint hook

    def __init__(self, interval: int = 10):
        self.interval = interval
        self._last = None

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Check now and then.

        Raises:
            FloatingPointError: with the iteration and what to try.
        """
        self._last = outputs['loss']
        if self.every_n_inner_iters(batch_idx, self.interval):
            self._check(runner)

    def after_train_epoch(self, runner) -> None:
        """Check the last loss of the epoch."""
        self._check(runner)

    def _check(self, runner) -> None:
        if self._last is not None and not torch.isfinite(self._last).all():
            raise FloatingPointError(
                f'the loss is {float(self._last)} at epoch {runner.epoch + 1}, iteration '
                f'{runner.iter + 1}. Try a lower learning rate, a longer warm-up, a higher '
                'temperature or bfloat16 instead of float16; the last checkpoint is unharmed: '
                'resume from it with --resume')
