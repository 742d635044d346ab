"""Attention control on a random UNet: what must be equal is equal to the last bit."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from tiny_diffusion import request
from torch.nn import functional as F

from mmtbps.generation.diffusion import attention
from mmtbps.generation.diffusion.attention import (
    ControlSession,
    EditControl,
    attention_control,
    control_cross_attention,
    trace_attention,
)
from mmtbps.generation.diffusion.inversion import Inversion
from mmtbps.generation.diffusion.latent_diffusion import LatentDiffusion, Schedule
from mmtbps.generation.editing.options import AttentionOptions, BlendOptions
from mmtbps.generation.editing.prompt_to_prompt import build_control, sample_edit

STEPS = 3
UNBLENDED = BlendOptions(start=None)
EVERYTHING = dict(cross_replace=1., self_replace=1., blend=UNBLENDED)
NOTHING = dict(cross_replace=0., self_replace=0., blend=UNBLENDED)
SAME_LENGTH = request('A man in a red shirt.', 'red', 'blue', 'shirt')
LONGER = request('A man in a red shirt.', 'red', 'pink', 'shirt')


class Run:
    """Samples edits from given noise, every source row sampled beside its target."""

    def __init__(self, parts, size=(8, 4), seed=0):
        self.model = LatentDiffusion(**parts)
        self.schedule = Schedule(self.model.scheduler, STEPS)
        generator = torch.Generator().manual_seed(seed)
        self.noise = torch.randn(4, 4, *size, generator=generator).to(self.model.latent_dtype)
        context = self.model.encode_text([''])
        self.layers = trace_attention(self.model.unet, self.noise[:1].to(self.model.dtype),
                                      context.to(self.model.dtype))
        self.null = context.expand(STEPS, 1, -1, -1)

    def control(self, *requests, blend=None, **attention):
        return EditControl.stack([
            build_control(self.model.tokenizer, r, STEPS, AttentionOptions(**attention), blend)
            for r in requests]).to('cpu', self.model.latent_dtype)

    def __call__(self, requests, control, replay=False, guide_source=True, rows=None,
                 coarse=False):
        rows = list(range(len(requests))) if rows is None else rows
        # A made-up path for the replayed source.
        path = torch.stack([self.noise[rows] * (1 - k / 8) for k in range(STEPS + 1)])
        inversion = Inversion(path, self.null.expand(-1, len(rows), -1, -1), replay, guide_source,
                              evals=[], backwards=[])
        self.session = ControlSession(control, self.layers, self_min_level=0, coarse=coarse)
        return sample_edit(self.model, self.schedule, inversion, self.session, self.layers,
                           self.model.encode_text([r.source_caption for r in requests]),
                           self.model.encode_text([r.target_caption for r in requests]),
                           guidance=4.)


@pytest.fixture(scope='module')
def run(tiny_parts):
    return Run(tiny_parts)


@pytest.fixture(scope='module')
def exact(tiny_double):
    return Run(tiny_double)


def test_same_caption_under_full_control_is_the_source(run):
    same = replace(SAME_LENGTH, target_captions=SAME_LENGTH.source_captions,
                   target_span=SAME_LENGTH.source_span,
                   target_phrase_span=SAME_LENGTH.phrase_span)
    source, target = run([same], run.control(same, **EVERYTHING))
    assert torch.equal(source, target)
    source, target = run([SAME_LENGTH], run.control(SAME_LENGTH, **NOTHING))
    assert not torch.allclose(source, target, atol=1e-2)


def test_the_source_never_feels_control(run):
    controlled, _ = run([LONGER], run.control(LONGER, **EVERYTHING))
    free, target = run([LONGER], run.control(LONGER, **NOTHING))
    assert torch.equal(controlled, free)


def plain_sampling(run, captions):
    """DDIM with guidance and the UNet's own processors."""
    latents = run.noise[:len(captions)]
    context = torch.cat([run.null[0].expand(len(captions), -1, -1),
                         run.model.encode_text(captions)])
    for i, timestep in enumerate(run.schedule.timesteps):
        with torch.no_grad():
            free, told = run.model.predict_noise(latents.repeat(2, 1, 1, 1), timestep,
                                                 context).chunk(2)
        latents = run.schedule.denoise(i, latents, free + 4. * (told - free))
    return latents


def test_without_control_it_is_plain_sampling(exact):
    source, target = exact([LONGER], exact.control(LONGER, **NOTHING))
    torch.testing.assert_close(source, plain_sampling(exact, [LONGER.source_caption]),
                               rtol=0, atol=1e-10)
    torch.testing.assert_close(target, plain_sampling(exact, [LONGER.target_caption]),
                               rtol=0, atol=1e-10)


@pytest.fixture
def maps(monkeypatch):
    """Every attention map of source and target: ``maps['cross' or 'self'] = [(source, target)]``.

    Cross-attention as the session observes it; self-attention from what reaches the kernel.
    """
    seen = dict(cross=[], self=[])
    observe, kernel = ControlSession.observe, F.scaled_dot_product_attention

    def note_cross(session, layer, source, target):
        seen['cross'].append((source, target))
        observe(session, layer, source, target)

    def note_self(query, key, value, scale):
        if key.shape[2] == query.shape[2]:
            weights = (query * scale @ key.transpose(-1, -2)).softmax(-1)
            seen['self'].append(weights[-len(weights) // 2:].chunk(2))
        return kernel(query, key, value, scale=scale)

    monkeypatch.setattr(ControlSession, 'observe', note_cross)
    # Only as the control sees it: the text encoder uses the same kernel.
    monkeypatch.setattr(attention, 'F', SimpleNamespace(
        **{**vars(F), 'scaled_dot_product_attention': note_self}))
    return seen


def largest_difference(pairs):
    return max((source - target).abs().max().item() for source, target in pairs)


def test_full_control_makes_all_maps_equal(run, maps):
    run([SAME_LENGTH], run.control(SAME_LENGTH, **EVERYTHING))
    layers = len(run.layers) // 2
    assert len(maps['cross']) == len(maps['self']) == STEPS * layers
    assert largest_difference(maps['cross']) == largest_difference(maps['self']) == 0
    maps.update(cross=[], self=[])
    run([SAME_LENGTH], run.control(SAME_LENGTH, **NOTHING))
    assert largest_difference(maps['cross']) > .01 and largest_difference(maps['self']) > .01


def test_more_tokens_take_the_sources_map_through_the_token_map(run, maps):
    control = run.control(LONGER, **EVERYTHING)
    run([LONGER], control)
    for source, target in maps['cross']:
        assert torch.equal(target, source @ control.token_map)
        torch.testing.assert_close(target.sum(-1), torch.ones_like(target[..., 0]))


def test_control_ends_when_its_share_of_the_steps_is_over(run, maps):
    run([SAME_LENGTH], run.control(SAME_LENGTH, cross_replace=2 / 3, self_replace=1 / 3))
    layers = len(run.layers) // 2
    for kind, until in (('cross', 2), ('self', 1)):
        assert largest_difference(maps[kind][:until * layers]) == 0
        assert largest_difference(maps[kind][until * layers:]) > .01


def test_the_finest_self_attention_can_be_left_alone(run, maps):
    control = run.control(SAME_LENGTH, **EVERYTHING)
    session = ControlSession(control, run.layers)
    taken = {layer.level: bool(session.takes_self_attention(layer))
             for layer in run.layers.values()}
    assert taken == {0: False, 1: True}


def slow_cross_control(source, target, control, step):
    """One number at a time."""
    result = target.clone()
    for e, h, p, t in torch.cartesian_prod(*map(torch.arange, target.shape)).tolist():
        if step < control.cross_steps[e]:
            moved = sum(source[e, h, p, s] * control.token_map[e, s, t]
                        for s in range(source.shape[-1]))
            own = control.own[e, t]
            result[e, h, p, t] = control.equalizer[e, t] * (
                own * target[e, h, p, t] + (1 - own) * moved)
    return result


def test_cross_control_equals_the_slow_way(exact):
    control = EditControl.stack([
        exact.control(LONGER, reweight=3.), exact.control(SAME_LENGTH, mode='refine'),
        exact.control(SAME_LENGTH, **NOTHING)])
    probs = torch.rand(2, 3, 2, 2, 24, dtype=torch.float64).softmax(-1)
    torch.testing.assert_close(control_cross_attention(*probs, control, 1),
                               slow_cross_control(*probs, control, 1))


def test_reweighting_touches_only_the_new_color(exact):
    probs = torch.rand(2, 1, 2, 2, 24, dtype=torch.float64).softmax(-1)
    plain = control_cross_attention(*probs, exact.control(LONGER), 0)
    strong = control_cross_attention(*probs, exact.control(LONGER, reweight=6.), 0)
    factor = torch.ones(24, dtype=torch.float64)
    factor[5:9] = 6  # <start> a man in a [p i n k] shirt
    torch.testing.assert_close(strong, plain * factor)


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
@pytest.mark.parametrize('threshold', [.9, .96])
def test_outside_the_mask_the_target_is_the_source(tiny_parts, dtype, threshold):
    parts = {**tiny_parts, 'unet': tiny_parts['unet'].to(dtype)}
    try:
        run = Run(parts, size=(14, 6))
        control = run.control(LONGER, blend=BlendOptions(threshold, start=0.))
        source, target = run([LONGER], control, replay=True, guide_source=False)
        mask = run.session.mask((14, 6)).expand_as(target)
    finally:
        tiny_parts['unet'].float()
    assert source.dtype == torch.float32 and 0 < mask.float().mean() < 1
    assert torch.equal(target[~mask], source[~mask])
    assert not torch.allclose(target[mask], source[mask], atol=.01)


@pytest.mark.parametrize('coarse', [False, True])
def test_the_heat_is_the_attention_to_the_phrase_in_source_and_target(exact, maps, coarse):
    control = exact.control(LONGER, **NOTHING)
    exact([LONGER], control, coarse=coarse)
    expected = torch.zeros(2, 4, 2, dtype=torch.float64)
    words = (slice(5, 7), slice(5, 10))  # <start> a man in a [red shirt] / [p i n k shirt]
    for layer, pair in zip([la for la in exact.layers.values() if la.cross] * STEPS,
                           called_in_order(exact, maps['cross']), strict=True):
        if layer.level == 1 and (coarse or not layer.middle):
            for side in range(2):
                heat = pair[side][0, :, :, words[side]].sum(-1).mean(0)
                expected[side] += heat.view(4, 2)
    torch.testing.assert_close(exact.session.heat[:, 0], expected, rtol=0, atol=1e-12)


def called_in_order(run, pairs):
    """Maps come as layers are called, layers as they are named: down, up, middle."""
    names = [name for name, layer in run.layers.items() if layer.cross]
    called = sorted(names, key=lambda name: ('down', 'mid', 'up').index(name.split('_')[0]))
    for start in range(0, len(pairs), len(names)):
        for name in names:
            yield pairs[start + called.index(name)]


def test_a_batch_of_different_edits_equals_each_alone(exact):
    edits = [(LONGER, dict(cross_replace=1., reweight=2.)), (SAME_LENGTH, dict(blend=UNBLENDED)),
             (request('a woman in dark blue jeans', 'dark blue', 'red', 'jeans'),
              dict(self_replace=1., blend=BlendOptions(.7))),
             (LONGER, dict(mode='refine', **NOTHING))]
    requests = [r for r, _ in edits]
    controls = [exact.control(r, **settings) for r, settings in edits]
    together = exact(requests, EditControl.stack(controls))
    for e in range(len(edits)):
        alone = exact([requests[e]], controls[e], rows=[e])
        for one, all_rows in zip(alone, together, strict=True):
            torch.testing.assert_close(one[0], all_rows[e], rtol=0, atol=1e-10)


def test_a_replayed_source_needs_no_unconditional_row(exact):
    control = exact.control(LONGER)
    three = exact([LONGER], control, replay=True, guide_source=False)
    four = exact([LONGER], control, replay=True, guide_source=True)
    torch.testing.assert_close(three[1], four[1], rtol=0, atol=1e-10)


def test_the_stock_pipeline_under_control_gives_the_same(exact, tiny_double):
    from diffusers import StableDiffusionPipeline
    pipe = StableDiffusionPipeline(**tiny_double, safety_checker=None, feature_extractor=None,
                                   requires_safety_checker=False)
    scheduler = pipe.scheduler = type(pipe.scheduler).from_config(pipe.scheduler.config)
    scheduler.alphas_cumprod = scheduler.alphas_cumprod.double()
    scheduler.final_alpha_cumprod = scheduler.final_alpha_cumprod.double()
    pipe.set_progress_bar_config(disable=True)
    requests = [LONGER, SAME_LENGTH]
    control = exact.control(*requests)
    expected = torch.cat(exact(requests, control))
    session = ControlSession(control, exact.layers, self_min_level=0)

    def end_step(_pipe, _step, _timestep, tensors):
        source, target = tensors['latents'].chunk(2)
        return dict(latents=torch.cat([source, session.end_step(source, target)]))

    with attention_control(pipe.unet, session, exact.layers):
        latents = pipe(
            [r.source_caption for r in requests] + [r.target_caption for r in requests],
            height=32, width=16, num_inference_steps=STEPS, guidance_scale=4.,
            latents=exact.noise[:2].repeat(2, 1, 1, 1), output_type='latent',
            callback_on_step_end=end_step).images
    torch.testing.assert_close(latents, expected, rtol=0, atol=1e-10)


def test_every_attention_layer_is_under_control_and_comes_back(run):
    from diffusers.models.attention import BasicTransformerBlock
    unet = run.model.unet
    blocks = sum(isinstance(module, BasicTransformerBlock) for module in unet.modules())
    assert len(run.layers) == 2 * blocks == sum(2 for la in run.layers.values() if la.cross)
    before = dict(unet.attn_processors)
    session = ControlSession(run.control(LONGER), run.layers)
    with pytest.raises(KeyError, match='inside'):
        with attention_control(unet, session, run.layers):
            assert not set(map(id, before.values())) & set(map(id, unet.attn_processors.values()))
            raise KeyError('inside')
    assert {n: id(p) for n, p in before.items()} == {
        n: id(p) for n, p in unet.attn_processors.items()}


def test_a_blend_level_without_attention_is_refused(run):
    with pytest.raises(ValueError, match=r'blend_level 3 .* levels \[0, 1\]'):
        ControlSession(run.control(LONGER), run.layers, blend_level=3)


def test_lora_goes_with_control_before_and_after_fusing(tmp_path, maps):
    from peft import LoraConfig
    from tiny_diffusion import tiny_sd
    parts = tiny_sd(tmp_path)
    before = Run(parts)([SAME_LENGTH], Run(parts).control(SAME_LENGTH))[1]
    torch.manual_seed(0)
    parts['unet'].add_adapter(LoraConfig(r=2, init_lora_weights=False,
                                         target_modules=['to_q', 'to_k', 'to_v', 'to_out.0']))
    targets = []
    for fuse in (False, True):
        if fuse:
            parts['unet'].fuse_lora()
        maps.update(cross=[], self=[])
        run = Run(parts)
        targets.append(run([SAME_LENGTH], run.control(SAME_LENGTH, **EVERYTHING))[1])
        assert largest_difference(maps['cross']) == largest_difference(maps['self']) == 0
    torch.testing.assert_close(*targets, rtol=1e-3, atol=1e-3)
    assert not torch.allclose(targets[0], before, atol=.01)
