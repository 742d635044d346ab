"""Null-text inversion with all the passes that the official script of the paper makes.

The mathematics is that of `mmtbps.generation.diffusion.inversion`; what differs is what it costs.
The script leaves the UNet trainable, so that every backward pass computes gradients of all weights,
which nobody reads; predicts the noise for the caption a second time in each step; reconstructs the
image once more before it edits, and never looks at the result; and its timesteps end at 0, so that
the last step goes nowhere.
"""

from typing import Any

import torch
from torch import Tensor

from mmtbps.generation.diffusion import (
    Inversion,
    LatentDiffusion,
    Schedule,
    ddim_trajectory,
    optimise_null_text,
)


class PublishedSchedule(Schedule):
    """Schedule of timesteps that are not shifted by one."""

    def __init__(self, scheduler: Any, steps: int) -> None:
        super().__init__(scheduler, steps)
        alphas = scheduler.alphas_cumprod.double().tolist()
        self.timesteps = [timestep - 1 for timestep in self.timesteps]
        self.levels = [*(alphas[timestep] for timestep in self.timesteps), alphas[0]]


def superfluous_passes(steps: int) -> int:
    """Count the forward passes that change nothing: repeated predictions, reconstruction."""
    return steps + 2 * steps


def invert_as_published(model: LatentDiffusion, schedule: Schedule, latents: Tensor,
                        context: Tensor, guidance: float, inner_steps: int = 10) -> Inversion:
    """Invert, optimise, and reconstruct for nobody; the UNet is left trainable.

    **Shapes**: latents ``(E, C, H, W)``, context ``(E, K, D)``.
    """
    model.unet.requires_grad_(True)
    trajectory, steps = ddim_trajectory(model, schedule, latents, context), len(schedule)
    null, current, uncond = model.encode_text(['']).expand_as(context), trajectory[0], []
    for i in range(steps):
        with torch.no_grad():
            noise = model.predict_noise(current, schedule.timesteps[i], context)
        null, _ = optimise_null_text(
            model, schedule, i, current, trajectory[i + 1], noise, null, guidance, inner_steps,
            learning_rate=1e-2 * (1 - i / (2 * steps)), tolerance=1e-5 + i * 2e-5)
        current = _guided_step(model, schedule, i, current, null, context, guidance)
        uncond.append(null)
    reconstruction = trajectory[0]
    for i in range(steps):
        reconstruction = _guided_step(model, schedule, i, reconstruction, uncond[i], context,
                                      guidance)
    # Passes are counted outside: see `random_diffusion.PassMeter`.
    return Inversion(trajectory, torch.stack(uncond), replay=False, guide_source=True, evals=(),
                     backwards=())


@torch.no_grad()
def _guided_step(model: LatentDiffusion, schedule: Schedule, i: int, latents: Tensor, null: Tensor,
                 context: Tensor, guidance: float) -> Tensor:
    free, told = model.predict_noise(torch.cat([latents, latents]), schedule.timesteps[i],
                                     torch.cat([null, context])).chunk(2)
    return schedule.denoise(i, latents, free + guidance * (told - free))
