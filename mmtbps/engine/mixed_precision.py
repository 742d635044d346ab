"""Mixed precision that also runs on a CPU."""

from contextlib import contextmanager

import torch
from mmengine.device import get_device
from mmengine.optim import OptimWrapper

from mmtbps.registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class MixedPrecisionOptimWrapper(OptimWrapper):
    """Optimizer wrapper with autocast in bfloat16 or float16, also on a CPU (MMEngine's is not).

    float16 on a GPU scales the loss; everything else needs no scaler. Similarities stay in
    float32: the loss leaves autocast by itself.

    Args:
        dtype: ``'bfloat16'`` or ``'float16'``.
        **kwargs: as in MMEngine's ``OptimWrapper``.

    Raises:
        ValueError: another dtype.
    """

    def __init__(self, dtype: str = 'bfloat16', **kwargs):
        if dtype not in ('bfloat16', 'float16'):
            raise ValueError(f"dtype must be 'bfloat16' or 'float16', got {dtype!r}")
        super().__init__(**kwargs)
        self.dtype = getattr(torch, dtype)
        self.device_type = get_device()
        self.loss_scaler = torch.amp.GradScaler(
            self.device_type, enabled=dtype == 'float16' and self.device_type == 'cuda')

    @contextmanager
    def optim_context(self, model: torch.nn.Module):
        """Run the forward pass under autocast."""
        with super().optim_context(model), torch.autocast(self.device_type, self.dtype):
            yield

    def backward(self, loss: torch.Tensor, **kwargs) -> None:
        """Run the backward pass of the scaled loss."""
        self.loss_scaler.scale(loss).backward(**kwargs)
        self._inner_count += 1

    def step(self, **kwargs) -> None:
        """Unscale, clip, step, and adapt the scale.

        Whether to skip a step with infinite gradients is decided on the device if the optimizer is
        fused, as AdamW is in the configs; otherwise, as for `MuonAdamW`, the host waits each time.
        """
        if self.clip_grad_kwargs:
            self.loss_scaler.unscale_(self.optimizer)
            self._clip_grad()
        self.loss_scaler.step(self.optimizer, **kwargs)
        self.loss_scaler.update()

    def state_dict(self) -> dict:
        """Return the states of optimizer and scaler."""
        state = super().state_dict()
        state['loss_scaler'] = self.loss_scaler.state_dict()
        return state

    def load_state_dict(self, state_dict: dict) -> None:
        """Load optimizer and scaler; a full-precision checkpoint has no scaler."""
        scaler = state_dict.pop('loss_scaler', None)
        if scaler:
            self.loss_scaler.load_state_dict(scaler)
        # How a step is computed is a matter of the config. A checkpoint that says otherwise would
        # make the optimizer refuse what the scaler gives to a fused one.
        for saved, group in zip(state_dict['param_groups'], self.optimizer.param_groups,
                                strict=False):
            if 'fused' in group:
                saved['fused'] = group['fused']
        super().load_state_dict(state_dict)
