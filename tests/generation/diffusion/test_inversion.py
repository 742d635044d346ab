"""Inversions on a random UNet: what is exact is exact, and what it costs is counted."""

import pytest
import torch
from tiny_diffusion import SCHEDULE

from mmtbps.generation.diffusion.attention import ControlSession, trace_attention
from mmtbps.generation.diffusion.inversion import (
    DirectInversion,
    EditFriendlyInversion,
    NegativePromptInversion,
    NullTextInversion,
    ddim_trajectory,
)
from mmtbps.generation.diffusion.latent_diffusion import LatentDiffusion, Schedule, ddim_step
from mmtbps.generation.editing import prompt_to_prompt as editors  # noqa: F401  (registers what the editor builds)
from mmtbps.generation.editing.options import BlendOptions
from mmtbps.generation.editing.prompt_to_prompt import build_control, sample_edit

CAPTIONS = ['A man in a red shirt.', 'a woman wears a dark coat']
SEEDS = [5, 6]
GUIDANCE = 4.


class World:
    """Two images' latents and captions in a model, and a short schedule."""

    def __init__(self, parts, steps=4):
        self.model = LatentDiffusion(**parts)
        self.schedule = Schedule(self.model.scheduler, steps)
        generator = torch.Generator().manual_seed(0)
        self.latents = torch.randn(2, 4, 8, 4, generator=generator).to(self.model.latent_dtype)
        self.context = self.model.encode_text(CAPTIONS)

    def invert(self, method, rows=(0, 1)):
        rows = list(rows)
        return method(self.model, self.schedule, self.latents[rows], self.context[rows],
                      GUIDANCE, [SEEDS[e] for e in rows])


@pytest.fixture(scope='module')
def world(tiny_double):
    return World(tiny_double)


@torch.no_grad()
def sample(world, start, guidance, uncond=None):
    """Plain sampling from the noisiest latents with an unconditional text for each step."""
    latents = start
    for i, timestep in enumerate(world.schedule.timesteps):
        noise = world.model.predict_noise(latents, timestep, world.context)
        if guidance != 1:
            free = world.model.predict_noise(latents, timestep, uncond[i])
            noise = free + guidance * (noise - free)
        latents = world.schedule.denoise(i, latents, noise)
    return latents


@pytest.mark.parametrize('steps', [3, 10, 50])
@pytest.mark.parametrize('offset', [0, 1])
def test_steps_are_those_of_diffusers_with_the_right_offset(steps, offset):
    from diffusers import DDIMInverseScheduler, DDIMScheduler
    settings = dict(SCHEDULE, clip_sample=False, set_alpha_to_one=False)
    schedule = Schedule(DDIMScheduler(**settings, steps_offset=offset), steps)
    forward = DDIMScheduler(**settings, steps_offset=1)
    inverse = DDIMInverseScheduler.from_config(forward.config)
    forward.set_timesteps(steps)
    inverse.set_timesteps(steps)
    assert schedule.timesteps == forward.timesteps.tolist() == inverse.timesteps.tolist()[::-1]
    latents, noise = torch.randn(2, 1, 4, 2, 2, generator=torch.Generator().manual_seed(0))
    for i, timestep in enumerate(schedule.timesteps):
        for mine, stock in ((schedule.denoise, forward), (schedule.invert, inverse)):
            torch.testing.assert_close(
                mine(i, latents, noise), stock.step(noise, timestep, latents).prev_sample,
                rtol=1e-4, atol=1e-4)


def test_the_last_step_is_a_step(world):
    last = len(world.schedule) - 1
    moved = world.schedule.denoise(last, world.latents, torch.ones_like(world.latents))
    assert (moved - world.latents).abs().max() > .01


def test_stochastic_steps_are_those_of_diffusers():
    from diffusers import DDIMScheduler
    scheduler = DDIMScheduler(**SCHEDULE, clip_sample=False, set_alpha_to_one=False,
                              steps_offset=1)
    scheduler.set_timesteps(10)
    schedule = Schedule(scheduler, 10)
    latents, noise, added = torch.randn(3, 1, 4, 2, 2, generator=torch.Generator().manual_seed(0))
    for i, timestep in enumerate(schedule.timesteps):
        stock = scheduler.step(noise, timestep, latents, eta=1., variance_noise=added)
        torch.testing.assert_close(schedule.denoise(i, latents, noise, added), stock.prev_sample,
                                   rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('steps', [0, 501])
def test_a_schedule_that_makes_no_sense_is_refused(tiny_parts, steps):
    with pytest.raises(ValueError, match=r'steps must lie in \[1, 500\]'):
        Schedule(tiny_parts['scheduler'], steps)


def test_v_prediction_is_turned_into_noise(tiny_parts):
    from diffusers import DDIMScheduler
    scheduler = DDIMScheduler(**SCHEDULE, prediction_type='v_prediction')
    model = LatentDiffusion(**{**tiny_parts, 'scheduler': scheduler})
    plain = LatentDiffusion(**tiny_parts)
    latents, context = torch.randn(1, 4, 8, 4), plain.encode_text(['red'])
    with torch.no_grad():
        velocity = plain.predict_noise(latents, 401, context)
        noise = model.predict_noise(latents, 401, context)
    level = scheduler.alphas_cumprod[401]
    clean = level.sqrt() * latents - (1 - level).sqrt() * velocity
    torch.testing.assert_close(level.sqrt() * clean + (1 - level).sqrt() * noise, latents)
    with pytest.raises(ValueError, match="'sample'"):
        LatentDiffusion(**{**tiny_parts, 'scheduler': DDIMScheduler(prediction_type='sample')})


def test_the_trajectory_is_what_its_own_noise_leads_to(world):
    trajectory = ddim_trajectory(world.model, world.schedule, world.latents, world.context)
    assert torch.equal(trajectory[-1], world.latents)
    levels = world.schedule.levels
    for i, timestep in enumerate(world.schedule.timesteps):
        with torch.no_grad():
            noise = world.model.predict_noise(trajectory[i + 1], timestep, world.context)
        torch.testing.assert_close(
            trajectory[i], ddim_step(trajectory[i + 1], noise, levels[i + 1], levels[i]))


def run_edit(world, inversion, request):
    """Source and target latents of the first image."""
    layers = trace_attention(world.model.unet, world.latents[:1], world.context[:1])
    control = build_control(world.model.tokenizer, request, len(inversion),
                            blend=BlendOptions(start=None))
    session = ControlSession(control.to('cpu', world.model.latent_dtype), layers)
    return sample_edit(world.model, world.schedule, inversion, session, layers,
                       world.context[:1], world.model.encode_text([request.target_caption]),
                       GUIDANCE)


@pytest.mark.parametrize('method', [DirectInversion(), EditFriendlyInversion(skip=.25)],
                         ids=['direct', 'edit-friendly'])
def test_a_replayed_source_is_met_exactly(world, method):
    from tiny_diffusion import request
    source, target = run_edit(world, world.invert(method, [0]), request(CAPTIONS[0]))
    assert torch.equal(source, world.latents[:1])
    assert not torch.allclose(target, source, atol=.01)


def test_negative_prompt_inversion_reconstructs_as_without_guidance(world):
    from tiny_diffusion import request
    inversion = world.invert(NegativePromptInversion(), [0])
    source, _ = run_edit(world, inversion, request(CAPTIONS[0]))
    whole = world.invert(NegativePromptInversion())
    expected = sample(world, whole.trajectory[0], guidance=1)
    torch.testing.assert_close(source[0], expected[0], rtol=0, atol=1e-10)
    guided = sample(world, whole.trajectory[0], GUIDANCE, whole.uncond)
    torch.testing.assert_close(guided, expected, rtol=0, atol=1e-9)


def test_edit_friendly_noise_leads_to_the_image(world):
    inversion = world.invert(EditFriendlyInversion(skip=.25))
    assert len(inversion) == 3
    latents = inversion.trajectory[0]
    for k in range(len(inversion)):
        with torch.no_grad():
            noise = world.model.predict_noise(latents, world.schedule.timesteps[1 + k],
                                              world.context)
        latents = world.schedule.denoise(1 + k, latents, noise, inversion.noise[k])
    torch.testing.assert_close(latents, world.latents, rtol=0, atol=1e-9)


def test_edit_friendly_noise_belongs_to_the_image_not_to_the_batch(world):
    together = world.invert(EditFriendlyInversion())
    alone = world.invert(EditFriendlyInversion(), [1])
    torch.testing.assert_close(alone.noise[:, 0], together.noise[:, 1], rtol=0, atol=1e-9)
    again = world.invert(EditFriendlyInversion())
    assert torch.equal(together.noise, again.noise)
    with pytest.raises(ValueError, match='skip'):
        EditFriendlyInversion(skip=1.)


def reconstruction_error(world, inversion):
    return (sample(world, inversion.trajectory[0], GUIDANCE, inversion.uncond)
            - world.latents).square().mean().item()


def test_optimised_null_text_reconstructs_better_the_longer_it_is_optimised(world):
    # On random weights the text has little hold on the noise; a higher rate makes up for it.
    errors = [reconstruction_error(world, world.invert(NullTextInversion(steps, .1)))
              for steps in (0, 3, 10)]
    assert errors[2] < errors[1] < errors[0]
    plain = world.invert(DirectInversion())
    assert errors[0] == pytest.approx(reconstruction_error(world, plain), rel=1e-9)


def slow_null_text(world, trajectory, inner_steps):
    """One image; Adam written out."""
    null, current, result = world.model.encode_text(['']), trajectory[0], []
    for i, timestep in enumerate(world.schedule.timesteps):
        told = world.model.predict_noise(current, timestep, world.context[:1])

        def step(null, i=i, timestep=timestep, told=told, current=current):
            free = world.model.predict_noise(current, timestep, null)
            return world.schedule.denoise(i, current, free + GUIDANCE * (told - free))

        rate, first, second = 1e-2 * (1 - i / (2 * len(world.schedule))), 0., 0.
        for k in range(1, inner_steps + 1):
            null = null.detach().requires_grad_(True)
            loss = (step(null) - trajectory[i + 1]).square().mean()
            gradient, = torch.autograd.grad(loss, null)
            first, second = .9 * first + .1 * gradient, .999 * second + .001 * gradient ** 2
            null = null - rate * (first / (1 - .9 ** k)) / (
                (second / (1 - .999 ** k)).sqrt() + 1e-8)
        with torch.no_grad():
            current = step(null)
        result.append(null.detach())
    return torch.stack(result)


def test_null_text_equals_the_slow_way(world):
    inversion = world.invert(NullTextInversion(2, tolerance=0., tolerance_growth=0.), [0])
    expected = slow_null_text(world, inversion.trajectory, 2)
    torch.testing.assert_close(inversion.uncond, expected, rtol=0, atol=1e-7)
    assert (expected[0] - world.model.encode_text([''])).abs().max() > .01


def test_null_text_leaves_the_weights_alone(world):
    before = [p.clone() for p in world.model.unet.parameters()]
    inversion = world.invert(NullTextInversion(2))
    for weight, old in zip(world.model.unet.parameters(), before, strict=True):
        assert weight.grad is None and not weight.requires_grad and torch.equal(weight, old)
    assert not inversion.uncond.requires_grad


def test_null_text_of_a_batch_is_that_of_each_image(world):
    # A tolerance between the two images' errors: one stops early, the other goes on. Adam divides
    # by the size of gradients and so amplifies rounding: hence float64, and hence the tolerance.
    method = NullTextInversion(3, tolerance=5.6, tolerance_growth=0.)
    together = world.invert(method)
    assert len(set(together.evals)) == 2, 'choose a tolerance that only one image meets'
    for e in range(2):
        alone = world.invert(method, [e])
        assert alone.evals[0] == together.evals[e]
        torch.testing.assert_close(alone.uncond[:, 0], together.uncond[:, e], rtol=0, atol=1e-6)


@pytest.mark.parametrize('method, expected', [
    (DirectInversion(), 4), (NegativePromptInversion(), 4), (EditFriendlyInversion(.25), 3),
    (NullTextInversion(2, tolerance=0.), 4 * (3 + 2)),
    (NullTextInversion(9, tolerance=1e9), 4 * (3 + 1)),
])
def test_the_passes_counted_are_the_passes_made(world, method, expected):
    rows = []
    hook = world.model.unet.register_forward_pre_hook(
        lambda module, inputs: rows.append(len(inputs[0])))
    try:
        inversion = world.invert(method)
    finally:
        hook.remove()
    assert list(inversion.evals) == [expected] * 2 and sum(rows) == 2 * expected
    optimised = isinstance(method, NullTextInversion)
    assert list(inversion.backwards) == [expected - 12 if optimised else 0] * 2
