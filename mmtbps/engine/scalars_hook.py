"""Logging of losses without the host waiting for the device in each step."""

from collections.abc import Callable

import torch
from mmengine.hooks import LoggerHook, RuntimeInfoHook
from mmengine.optim import OptimWrapperDict
from torch import Tensor

from mmtbps.registry import HOOKS

from .inner_model import joint_clipping

__all__ = ['DeferredScalarsHook', 'to_numbers']


def to_numbers(scalars: list[Tensor]) -> list[float | int]:
    """Fetch the values of many scalars, in one transfer for each device and dtype.

    Args:
        scalars: tensors of one element each.

    Returns:
        What ``item()`` of each would give.

    Example:
        >>> to_numbers([torch.tensor(0.5), torch.tensor([3]), torch.tensor(2.5)])
        [0.5, 3, 2.5]
    """
    kinds = {}
    for place, scalar in enumerate(scalars):
        kinds.setdefault((scalar.device, scalar.dtype), []).append(place)
    numbers = {}
    for places in kinds.values():
        joined = torch.stack([scalars[place].reshape(()) for place in places])
        numbers.update(zip(places, joined.tolist(), strict=True))
    return [numbers[place] for place in range(len(scalars))]


@HOOKS.register_module()
class DeferredScalarsHook(RuntimeInfoHook):
    """Hook as MMEngine's ``RuntimeInfoHook`` that leaves losses on the device until they are read.

    The stock hook asks for the value of every loss in every iteration, and clipping for that of
    the gradient's norm: each time the host waits until the device has done all it was given,
    which then idles until the next step is launched. Here the scalars of an iteration are kept
    and handed to the message hub together: after ``interval`` iterations at the latest, when a
    ``LoggerHook`` writes, at the end of an epoch and of training, and when a checkpoint is saved.
    What is logged and what is saved is the same. A hook that reads scalars of training from the
    message hub at other times must come after a call of :meth:`hand_over`.

    Args:
        interval: keep the scalars of at most this many iterations.

    Raises:
        ValueError: ``interval`` is not positive.
    """

    def __init__(self, interval: int = 50):
        if interval < 1:
            raise ValueError(f'interval must be positive, got {interval}')
        self.interval = interval
        self._kept: list[tuple[str, object]] = []
        self._iterations = 0

    def before_train(self, runner) -> None:
        """Prepare as MMEngine does, and keep the norms of clipped gradients too."""
        super().before_train(runner)
        wrappers = runner.optim_wrapper
        for wrapper in wrappers.values() if isinstance(wrappers, OptimWrapperDict) else [wrappers]:
            if getattr(wrapper, 'clip_grad_kwargs', None):
                clip = joint_clipping(runner.model, wrapper.clip_func)
                wrapper.clip_func = self._keep_norm(clip, wrapper.grad_name)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Keep the scalars of this iteration; hand all over when it is time."""
        for key, value in (outputs or {}).items():
            self._keep(key, value)
        self._iterations += 1
        # First values go at once: the columns of the log are in the order of their arrival.
        new = any(key not in runner.message_hub.log_scalars for key, _ in self._kept)
        if new or self._iterations >= self.interval or self._is_read(runner, batch_idx):
            self.hand_over(runner)

    def after_train(self, runner) -> None:
        """Hand over the scalars of the last iterations."""
        self.hand_over(runner)
        super().after_train(runner)

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Hand over all scalars, so that a checkpoint within an epoch holds them."""
        if self._kept:
            self.hand_over(runner)
            history = runner.message_hub.state_dict()['log_scalars']
            checkpoint['message_hub']['log_scalars'] = history

    def hand_over(self, runner) -> None:
        """Transfer the kept scalars, all at once, and give it to the message hub."""
        numbers = iter(to_numbers([value for _, value in self._kept if torch.is_tensor(value)]))
        for key, value in self._kept:
            number = next(numbers) if torch.is_tensor(value) else value
            runner.message_hub.update_scalar(key, number)
        self._kept, self._iterations = [], 0

    def _is_read(self, runner, batch_idx: int) -> bool:
        return self.end_of_epoch(runner.train_dataloader, batch_idx) or any(
            self.every_n_inner_iters(batch_idx, hook.interval)
            for hook in runner.hooks if isinstance(hook, LoggerHook))

    def _keep(self, key: str, value) -> None:
        self._kept.append((f'train/{key}', value.detach() if torch.is_tensor(value) else value))

    def _keep_norm(self, clip: Callable, key: str) -> Callable:
        def clip_and_keep(*args, **kwargs) -> None:
            # Nothing is returned: the wrapper would ask for the value of a norm at once.
            norm = clip(*args, **kwargs)
            if norm is not None:
                self._keep(key, norm)

        return clip_and_keep
