"""Hook that stops a run whose loss is no longer a number."""

import math

from mmengine.hooks import Hook

from mmtbps.errors import UserError
from mmtbps.registry import HOOKS


class LossNotFinite(UserError, FloatingPointError):
    """A loss that is infinite or no number."""


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Hook that raises when the loss is infinite or NaN, before a checkpoint keeps the damage.

    It looks at the last loss in the message hub, so it never makes the host wait for the device:
    with MMEngine's ``RuntimeInfoHook`` that is the loss of this iteration, with
    ``DeferredScalarsHook`` the last that was handed over.
    """

    priority = 'HIGH'  # after the hook that fills the message hub, before the checkpoint hook

    def after_train_iter(self, runner, batch_idx=0, data_batch=None, outputs=None) -> None:
        """Check the last known loss.

        Raises:
            LossNotFinite: with the iteration and what to try.
        """
        loss = runner.message_hub.get_scalar('train/loss').current()
        if not math.isfinite(loss):
            raise LossNotFinite(
                f'the loss is {loss} at epoch {runner.epoch + 1}, iteration {runner.iter + 1}. '
                'Try a lower learning rate, a longer warm-up, a higher temperature or bfloat16 '
                'instead of float16; the last checkpoint is unharmed: resume from it with --resume')

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Check before a checkpoint within an epoch too."""
        self.after_train_iter(runner)
