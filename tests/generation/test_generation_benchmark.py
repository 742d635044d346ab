"""The benchmark of generation: its counts are right, and the preset is as cheap as it says."""

import importlib
import json
from pathlib import Path

import pytest
import torch
from forked_processes import run_tool
from torch.utils.flop_counter import FlopCounterMode

from mmtbps.generation.diffusion.inversion import NullTextInversion
from mmtbps.generation.diffusion.latent_diffusion import LatentDiffusion, Schedule

ROOT = Path(__file__).parents[2]


@pytest.fixture
def load(monkeypatch):
    """A function that imports a module of tools/benchmarks."""
    monkeypatch.syspath_prepend(ROOT / 'tools')
    return lambda name: importlib.import_module(f'benchmarks.{name}')


@pytest.fixture(scope='module')
def report(tmp_path_factory):
    """Return the file and the output of the command, at few sampling steps."""
    out = tmp_path_factory.mktemp('benchmark')
    done = run_tool(['tools/benchmark.py', 'generation', '--fraction', '.04', '--threads', '1',
                     '--out', out], cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return json.loads((out / 'generation.json').read_text())['rows'], done.stdout


def rows_of(report, method):
    return [row for row in report[0] if row['method'].startswith(method)]


def test_command_prints_a_table_and_writes_the_details(report):
    rows, printed = report
    assert [row['size'] for row in rows] == 2 * ['160 x 64'] + 3 * ['128 x 128'] + 3 * ['160 x 64']
    assert printed.splitlines()[2].startswith('| 160 x 64 | direct inversion (pdg_fast) | 1 | 4 |')
    assert all(row['pairs/s'] > 0 for row in rows)


@pytest.mark.parametrize('method, forward, backward, superfluous', [
    ('direct inversion (pdg_fast)', 4, 0, 0), ('direct inversion, 50 steps', 4, 0, 0),
    ('negative-prompt', 4, 0, 0), ('null-text inversion (pdg_official)', 17, 10, 0),
    ('null-text inversion, as published', 20, 10, 3)])
def test_passes_are_those_of_the_methods(report, method, forward, backward, superfluous):
    """Of a sampling step; on random weights every inner loop runs to its end."""
    for row in rows_of(report, method):
        steps = row['steps']
        assert row['forward passes'] == forward * steps
        assert row['backward passes'] == backward * steps
        assert row['of these superfluous'] == superfluous * steps


def test_a_pair_costs_an_eighth_at_most_and_its_source_is_met(report):
    ours, *_ = rows_of(report, 'direct inversion (pdg_fast)')
    published = rows_of(report, 'null-text inversion, as published')
    assert len(published) == 2
    for row in published:
        assert 8 * ours['forward equivalents'] <= row['forward equivalents']
        assert ours['reconstruction error'] <= row['reconstruction error']
        assert 8 * ours['UNet GFLOP'] <= row['UNet GFLOP']
        assert 8 * ours['TFLOP with SD 1.5'] <= row['TFLOP with SD 1.5']


def test_the_full_model_has_the_published_size(load):
    diffusion = load('random_diffusion')
    with torch.device('meta'):
        unet = diffusion.build_unet(diffusion.SHAPES['sd15'])
    assert sum(weight.numel() for weight in unet.parameters()) == 859_520_964


def test_flops_of_a_pass_are_those_of_a_real_one(load):
    """The sizes without memory against a forward and backward pass that is computed."""
    from diffusers.models.attention_processor import AttnProcessor
    diffusion = load('random_diffusion')
    shape, size = diffusion.SHAPES['tiny'], (96, 32)
    cost = diffusion.pass_cost(shape, size)
    unet = diffusion.build_unet(shape)
    unet.set_attn_processor(AttnProcessor())
    with FlopCounterMode(display=False) as counter:
        noise = unet(torch.randn(3, 4, 12, 4), torch.tensor(5),
                     encoder_hidden_states=torch.randn(3, 77, 32)).sample
        assert counter.get_total_flops() == 3 * cost.forward
        noise.sum().backward()
    # Here the text asks for no gradient, so a little less than counted.
    backward = counter.get_total_flops() - 3 * cost.forward
    assert .9 * backward <= 3 * cost.backward_with_weights <= 1.1 * backward
    assert cost.forward < cost.backward < cost.backward_with_weights < 2.2 * cost.forward


def test_the_meter_counts_rows_and_gradients(load, tiny_parts):
    unet, meter = tiny_parts['unet'], load('random_diffusion').PassMeter(tiny_parts['unet'])
    text = torch.randn(3, 24, 16, requires_grad=True)
    with meter:
        with torch.no_grad():
            unet(torch.randn(2, 4, 8, 4), torch.tensor(5), encoder_hidden_states=text[:2])
        unet(torch.randn(3, 4, 8, 4), torch.tensor(5), encoder_hidden_states=text).sample.sum(
            ).backward()
    unet(torch.randn(2, 4, 8, 4), torch.tensor(5), encoder_hidden_states=text[:2])
    assert (meter.forward, meter.backward) == (5, 3)


def test_the_published_passes_lead_to_the_same_embeddings(load, tiny_double):
    published = load('published_null_text')
    model = LatentDiffusion(**tiny_double)
    latents = torch.randn(1, 4, 8, 4, generator=torch.Generator().manual_seed(0)).double()
    context = model.encode_text(['a man in a red shirt'])
    schedule = Schedule(model.scheduler, 3)
    ours = NullTextInversion(3)(model, schedule, latents, context, 4., [0])
    try:
        theirs = published.invert_as_published(model, schedule, latents, context, 4., 3)
        assert any(weight.grad is not None for weight in model.unet.parameters())
    finally:
        model.unet.requires_grad_(False).zero_grad()
    torch.testing.assert_close(theirs.uncond, ours.uncond, rtol=0, atol=1e-7)
    shifted = published.PublishedSchedule(model.scheduler, 3)
    assert shifted.timesteps[-1] == 0 and shifted.levels[-1] == shifted.levels[-2]
