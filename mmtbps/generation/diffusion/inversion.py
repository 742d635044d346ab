"""Inversion of images to the noise they could have come from, to be sampled again, edited."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mmtbps.errors import BadValue
from mmtbps.registry import TASK_UTILS

from .latent_diffusion import LatentDiffusion, Schedule, ddim_step, ddpm_sigma

__all__ = ['DirectInversion', 'EditFriendlyInversion', 'Inversion', 'InversionMethod',
           'NegativePromptInversion', 'NullTextInversion', 'ddim_trajectory',
           'optimise_null_text']


@dataclass(frozen=True)
class Inversion:
    """Start of a sampling run from images. S is the number of steps it takes.

    Args:
        trajectory: ``(S + 1, E, C, H, W)`` latents, noisiest first.
        uncond: ``(S, E, K, D)`` text of the unconditional branch in each step.
        replay: The source row repeats the trajectory, else it is sampled anew.
        guide_source: The source row needs an unconditional row of its own.
        evals: Forward passes spent on each of the E images.
        backwards: Backward passes spent on each of them.
        noise: ``(S, E, C, H, W)`` to add in each step; ``None`` for deterministic steps.
    """

    trajectory: Tensor
    uncond: Tensor
    replay: bool
    guide_source: bool
    evals: Sequence[int]
    backwards: Sequence[int]
    noise: Tensor | None = None

    def __len__(self) -> int:
        return len(self.uncond)


class InversionMethod(ABC):
    """Method that inverts a batch of images that have captions."""

    @abstractmethod
    def __call__(self, model: LatentDiffusion, schedule: Schedule, latents: Tensor,
                 context: Tensor, guidance: float, seeds: Sequence[int]) -> Inversion:
        """Invert the images.

        Args:
            model: The model that will sample.
            schedule: S steps.
            latents: ``(E, C, H, W)`` of the images.
            context: ``(E, K, D)`` of their captions.
            guidance: Scale of classifier-free guidance in sampling.
            seeds: One for each image.
        """

    @property
    def digest_fields(self) -> dict[str, Any]:
        """Name and settings, JSON types."""
        return dict(type=type(self).__name__, **vars(self))


@torch.no_grad()
def ddim_trajectory(model: LatentDiffusion, schedule: Schedule, latents: Tensor,
                    context: Tensor) -> Tensor:
    """Invert deterministically, without guidance, to ``(S + 1, E, C, H, W)``, noisiest first.

    The noise at the level to reach is predicted from the latents of the level before, which is
    the approximation that the other methods of this module correct.
    """
    states = [latents]
    for i in reversed(range(len(schedule))):
        noise = model.predict_noise(states[-1], schedule.timesteps[i], context)
        states.append(schedule.invert(i, states[-1], noise))
    return torch.stack(states[::-1])


def _repeat_null(model: LatentDiffusion, steps: int, count: int) -> Tensor:
    return model.encode_text([''])[None].expand(steps, count, -1, -1)


@TASK_UTILS.register_module()
class DirectInversion(InversionMethod):
    """Inversion that the source repeats, so its reconstruction error is 0 by construction.

    PnP Inversion / Direct Inversion (https://arxiv.org/abs/2310.01506), algorithm 1. No
    optimisation, and no unconditional row for the source: 4 forward passes a step and image,
    inversion included.
    """

    def __call__(self, model, schedule, latents, context, guidance, seeds):
        trajectory = ddim_trajectory(model, schedule, latents, context)
        steps, count = len(schedule), len(latents)
        return Inversion(trajectory, _repeat_null(model, steps, count), replay=True,
                         guide_source=False, evals=[steps] * count, backwards=[0] * count)


@TASK_UTILS.register_module()
class NegativePromptInversion(InversionMethod):
    """Inversion with the source caption in the place of the empty prompt.

    Negative-prompt Inversion (https://arxiv.org/abs/2305.16807). Guidance then cancels out in the
    source row, which is as well reconstructed as without guidance: 4 passes a step and image.
    """

    def __call__(self, model, schedule, latents, context, guidance, seeds):
        trajectory = ddim_trajectory(model, schedule, latents, context)
        steps, count = len(schedule), len(latents)
        return Inversion(trajectory, context.expand(steps, -1, -1, -1), replay=False,
                         guide_source=False, evals=[steps] * count, backwards=[0] * count)


@TASK_UTILS.register_module()
class NullTextInversion(InversionMethod):
    """Inversion that optimises the empty prompt's embedding in each step; CTLG used it.

    Null-text Inversion (https://arxiv.org/abs/2211.09794), algorithm 1. Costs about ten times
    as much as `DirectInversion`; kept for parity.

    Args:
        inner_steps: Most updates of Adam in a sampling step.
        learning_rate: Of the first sampling step; it falls linearly to one half.
        tolerance: Mean squared error at which an image's updates stop, in the first step ...
        tolerance_growth: ... and how much more is accepted with each later one.
    """

    def __init__(self, inner_steps: int = 10, learning_rate: float = 1e-2,
                 tolerance: float = 1e-5, tolerance_growth: float = 2e-5) -> None:
        self.inner_steps = inner_steps
        self.learning_rate = learning_rate
        self.tolerance = tolerance
        self.tolerance_growth = tolerance_growth

    def __call__(self, model, schedule, latents, context, guidance, seeds):
        trajectory = ddim_trajectory(model, schedule, latents, context)
        steps, current = len(schedule), trajectory[0]
        null = model.encode_text(['']).expand_as(context)
        uncond, updates = [], torch.zeros(len(latents), dtype=torch.long)
        for i in range(steps):
            with torch.no_grad():
                noise = model.predict_noise(current, schedule.timesteps[i], context)
            null, spent = optimise_null_text(
                model, schedule, i, current, trajectory[i + 1], noise, null, guidance,
                inner_steps=self.inner_steps,
                learning_rate=self.learning_rate * (1 - i / (2 * steps)),
                tolerance=self.tolerance + i * self.tolerance_growth)
            with torch.no_grad():
                free = model.predict_noise(current, schedule.timesteps[i], null)
                current = schedule.denoise(i, current, free + guidance * (noise - free))
            uncond.append(null)
            updates += spent
        return Inversion(trajectory, torch.stack(uncond), replay=False, guide_source=True,
                         evals=(updates + 3 * steps).tolist(), backwards=updates.tolist())


def optimise_null_text(model: LatentDiffusion, schedule: Schedule, step: int, latents: Tensor,
                       goal: Tensor, noise: Tensor, null: Tensor, guidance: float,
                       inner_steps: int, learning_rate: float, tolerance: float
                       ) -> tuple[Tensor, Tensor]:
    """Optimise the embedding so that one guided step leads to ``goal``; each image on its own.

    Args:
        model: Its weights take no gradient.
        schedule: The run.
        step: Index of the step.
        latents: ``(E, C, H, W)`` before the step.
        goal: ``(E, C, H, W)`` after it.
        noise: ``(E, C, H, W)`` predicted with the caption.
        null: ``(E, K, D)`` to start from.
        guidance: Scale of classifier-free guidance.
        inner_steps: Most updates.
        learning_rate: Of Adam.
        tolerance: An image whose error is below it after an update is left as it is.

    Returns:
        ``(E, K, D)`` embedding and ``(E,)`` updates made.
    """
    rows = [row.detach().clone().requires_grad_(True) for row in null]
    optimiser = torch.optim.Adam(rows, lr=learning_rate)
    updates = torch.zeros(len(rows), dtype=torch.long)
    active = list(range(len(rows)))
    for _ in range(inner_steps):
        if not active:
            break
        free = model.predict_noise(latents[active], schedule.timesteps[step],
                                   torch.stack([rows[e] for e in active]))
        guided = free + guidance * (noise[active] - free)
        reached = schedule.denoise(step, latents[active], guided)
        losses = (reached - goal[active]).square().mean((1, 2, 3))
        optimiser.zero_grad(set_to_none=True)  # Adam passes over rows without a gradient
        losses.sum().backward()
        optimiser.step()
        updates[active] += 1
        active = [e for e, loss in zip(active, losses.tolist(), strict=True) if loss >= tolerance]
    return torch.stack(rows).detach(), updates


@TASK_UTILS.register_module()
class EditFriendlyInversion(InversionMethod):
    """Inversion to the noise of a stochastic sampling that arrives at the image.

    An Edit Friendly DDPM Noise Space (https://arxiv.org/abs/2304.06140), algorithm 1. Latents of
    all levels are drawn independently of each other; the noise of a step is what leads from one
    to the next, so the image is met exactly. The source repeats them, as in `DirectInversion`.

    Args:
        skip: Share of the noisiest steps that is left out; more keeps more of the image.

    Raises:
        BadValue: If ``skip`` is not in [0, 1).
    """

    def __init__(self, skip: float = 0.36) -> None:
        if not 0 <= skip < 1:
            raise BadValue(f'skip must lie in [0, 1), got {skip}')
        self.skip = skip

    @torch.no_grad()
    def __call__(self, model, schedule, latents, context, guidance, seeds):
        first = min(round(self.skip * len(schedule)), len(schedule) - 1)
        steps, count = len(schedule) - first, len(latents)
        drawn = _draw_noise(steps, latents, seeds)
        levels = latents.new_tensor(schedule.levels[first:-1]).view(-1, 1, 1, 1, 1)
        noisy = levels.sqrt() * latents + (1 - levels).sqrt() * drawn
        trajectory = torch.cat([noisy, latents[None]])
        noise = []
        for k in range(steps):
            i = first + k
            predicted = model.predict_noise(trajectory[k], schedule.timesteps[i], context)
            level, to_level = schedule.levels[i], schedule.levels[i + 1]
            sigma = ddpm_sigma(level, to_level)
            mean = ddim_step(trajectory[k], predicted, level, to_level, sigma)
            noise.append((trajectory[k + 1] - mean) / sigma)
        return Inversion(trajectory, _repeat_null(model, steps, count), replay=True,
                         guide_source=False, evals=[steps] * count, backwards=[0] * count,
                         noise=torch.stack(noise))


def _draw_noise(steps: int, latents: Tensor, seeds: Sequence[int]) -> Tensor:
    """Draw ``(steps, E, C, H, W)`` on the CPU in float32: the same on any device, in any batch."""
    drawn = [torch.randn(steps, *latents.shape[1:], generator=torch.Generator().manual_seed(seed))
             for seed in seeds]
    return torch.stack(drawn, 1).to(latents)
