"""Losses that keep a fine-tuned diffusion model near its start, without any image for it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn

from mmtbps.errors import BadValue

__all__ = ['PriorOptions', 'read_prior', 'text_distillation', 'update_norm', 'without_updates']

_FURTHEST = 4.   # a latent from the mean, in its standard deviation of one


@dataclass(frozen=True)
class PriorOptions:
    """Weights of the losses that keep a model near its start; 0 leaves a loss out.

    Args:
        l2: Of the squared length of all updates (`update_norm`), which bounds how far the model's
            output can drift, https://arxiv.org/abs/2505.19519.
        distill: Of the difference from the start's predictions for ``captions``
            (`text_distillation`); three more passes of the UNet in each step.
        captions: Of pictures the model shall go on to draw as before.

    Raises:
        BadValue: If a weight is negative or no number, or there is nothing to distil.

    >>> PriorOptions(l2=1e-3).distill
    0.0
    """

    l2: float = 0.
    distill: float = 0.
    captions: Sequence[str] = ('a photo of a person', 'a photo of a man', 'a photo of a woman',
                               'a photo of a street')

    def __post_init__(self) -> None:
        for weight in (self.l2, self.distill):
            if not isinstance(weight, (int, float)) or not math.isfinite(weight):
                raise BadValue(f'l2 and distill must be numbers, got {weight!r}')
        if min(self.l2, self.distill) < 0:
            raise BadValue(f'l2 and distill must not be negative, got {self.l2} and {self.distill}')
        if self.distill and (isinstance(self.captions, str) or not self.captions or not all(
                isinstance(caption, str) for caption in self.captions)):
            raise BadValue(f'distill needs a list of captions, got {self.captions!r}')


def read_prior(given: PriorOptions | Mapping[str, Any] | None) -> PriorOptions:
    """Build the options from a config's keys; ``None`` keeps nothing near the start.

    Raises:
        BadValue: On a key that there is not, or as `PriorOptions`.

    >>> read_prior(dict(l2=1e-3)).l2, read_prior(None).l2
    (0.001, 0.0)
    """
    if isinstance(given, PriorOptions):
        return given
    known = [field.name for field in fields(PriorOptions)]
    if unknown := sorted(set(given or {}) - set(known)):
        raise BadValue(f'prior takes {", ".join(known)}, got {", ".join(unknown)}')
    return PriorOptions(**(given or {}))


def update_norm(model: nn.Module) -> Tensor:
    """Compute the sum of the squares of all changes that low-rank updates make to the weights.

    The change of a layer, ``B @ A``, is never built: its square sum is that of two matrices of the
    rank's size.
    """
    norms = []
    for layer, name in _updates(model):
        down, up = layer.lora_A[name].weight.flatten(1), layer.lora_B[name].weight.flatten(1)
        norms.append(layer.scaling[name] ** 2 * ((up.T @ up) * (down @ down.T)).sum())
    return torch.stack(norms).sum()


def text_distillation(unet: nn.Module, context: Tensor, size: Sequence[int], levels: Tensor,
                      velocity: bool = False) -> Tensor:
    """Compute the squared difference from the start's predictions, for captions alone.

    No image is read or sampled: the start's guess at a clean latent, from pure noise in one pass,
    is made noisy again, and both models predict from that.

    Args:
        unet: With low-rank updates; without them it is the start.
        context: Text features of the captions, ``(N, K, D)``.
        size: ``(C, H, W)`` of a latent.
        levels: Cumulative alpha of each timestep, descending.
        velocity: The model predicts velocity, not noise.
    """
    device, count = context.device, len(context)
    steps = torch.randint(len(levels), (count,), device=device)
    draw, noise = torch.randn(2, count, *size, device=device)

    def predict(noisy: Tensor, at: Tensor) -> Tensor:
        return unet(noisy.to(unet.dtype), at, encoder_hidden_states=context).sample.float()

    with torch.no_grad(), without_updates(unet):
        last = torch.full_like(steps, len(levels) - 1)
        guess = _clean(draw, predict(draw, last), levels[-1], velocity)
        level = levels[steps].view(-1, 1, 1, 1)
        noisy = level.sqrt() * guess + (1 - level).sqrt() * noise
        wanted = predict(noisy, steps)
    return (predict(noisy, steps) - wanted).square().mean()


@contextmanager
def without_updates(model: nn.Module) -> Iterator[None]:
    """Let a model predict as it did before its low-rank updates."""
    scales = [(layer.scaling, name, layer.scaling[name]) for layer, name in _updates(model)]
    try:
        for scaling, name, _ in scales:
            scaling[name] = 0.
        yield
    finally:
        for scaling, name, scale in scales:
            scaling[name] = scale


def _clean(noisy: Tensor, predicted: Tensor, level: Tensor, velocity: bool) -> Tensor:
    """Return the clean latents a prediction stands for, limited to where latents lie."""
    if velocity:
        clean = level.sqrt() * noisy - (1 - level).sqrt() * predicted
    else:
        clean = (noisy - (1 - level).sqrt() * predicted) / level.sqrt()
    return clean.clamp(-_FURTHEST, _FURTHEST)


def _updates(model: nn.Module) -> Iterator[tuple[Any, str]]:
    """Yield each layer that has low-rank updates, and the updates' name."""
    from peft.tuners.lora import LoraLayer
    for layer in model.modules():
        if isinstance(layer, LoraLayer):
            for name in layer.lora_A:
                yield layer, name
