"""Hook that stops a run whose loss or weights are no longer numbers."""

import math
from pathlib import Path

import torch
from mmengine.hooks import Hook

from mmtbps.errors import UserError
from mmtbps.registry import HOOKS

from .inner_model import inner_model
from .resume_hook import counts_epochs

__all__ = ['FiniteLossHook', 'LossNotFinite']

_TRY = ('Try a lower learning rate, a longer warm-up, bfloat16 instead of float16, or (with '
        'resume_anyway=True) a higher temperature')


class LossNotFinite(UserError, FloatingPointError):
    """A loss or weights that are infinite or no numbers."""


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Hook that raises when the loss is infinite or NaN, before a checkpoint keeps the damage.

    It looks at the last loss in the message hub, so it never makes the host wait for the device:
    with MMEngine's ``RuntimeInfoHook`` that is the loss of this iteration, with
    ``DeferredScalarsHook`` the last that was handed over, so that the fault lies at or before the
    iteration that is named. The weights themselves are looked at before a checkpoint is written:
    a step may ruin them whose own loss was a number.
    """

    priority = 'HIGH'  # after the hook that fills the message hub, before the checkpoint hook

    def after_train_iter(self, runner, batch_idx=0, data_batch=None, outputs=None) -> None:
        """Check the last known loss.

        Raises:
            LossNotFinite: with the iteration and what to try.
        """
        loss = runner.message_hub.get_scalar('train/loss').current()
        if not math.isfinite(loss):
            raise LossNotFinite(f'the loss is {loss}{_epoch(runner)} at or before iteration '
                                f'{runner.iter + 1}. {_TRY}; {_way_on(runner)}')

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Check the loss once more, and the weights that are about to be written.

        Raises:
            LossNotFinite: naming the first weight that holds no number.
        """
        self.after_train_iter(runner)
        for name, weight in inner_model(runner).named_parameters():
            if not torch.isfinite(weight).all():
                raise LossNotFinite(
                    f'{name} holds infinite weights or no numbers{_epoch(runner) or " at"} '
                    f'iteration {runner.iter + 1}; this checkpoint is not written. {_TRY}; '
                    f'{_way_on(runner)}')


def _epoch(runner) -> str:
    """Name the epoch; a loop that counts steps alone has none."""
    return f' at epoch {runner.epoch + 1},' if counts_epochs(runner) else ''


def _way_on(runner) -> str:
    """Name the checkpoint to go on from: what was written has been looked at."""
    last = runner.message_hub.runtime_info.get('last_ckpt')
    if last and Path(last).is_file():
        return f'the run goes on from {last} with --resume'
    return 'there is no checkpoint yet: begin again'
