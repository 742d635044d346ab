"""Losses that keep a fine-tuned diffusion model near its start."""

import copy

import pytest
import torch
from tiny_diffusion import as_pipeline

from mmtbps.errors import BadValue
from mmtbps.generation.diffusion.finetune import DiffusionFinetuner
from mmtbps.generation.diffusion.prior import (
    PriorOptions,
    read_prior,
    text_distillation,
    update_norm,
    without_updates,
)

SIZE, LATENT = (32, 16), (4, 16, 8)
CAPTIONS = ['a man', 'a street']


@pytest.fixture
def build(tiny_parts):
    """A function that makes a fine-tuner; its updates are random and no longer zero."""
    def build(moved=True, **arguments):
        torch.manual_seed(0)
        parts = {name: copy.deepcopy(part) for name, part in tiny_parts.items()}
        model = DiffusionFinetuner(pipeline=as_pipeline(parts), size=SIZE, rank=4, **arguments)
        if moved:
            with torch.no_grad():
                for name, value in model.unet.named_parameters():
                    if 'lora_B' in name:
                        value.normal_(std=.1)
        return model
    return build


def weights_after(model):
    """The weights of each updated layer with its change built in, by name."""
    merged = copy.deepcopy(model.unet)
    changed = {}
    for name, layer in merged.named_modules():
        if hasattr(layer, 'get_delta_weight'):
            changed[name] = layer.get_delta_weight('default')
    return changed


def test_the_length_of_the_updates_is_that_of_the_changes_they_make(build):
    model = build()
    changes = weights_after(model)
    assert len(changes) > 10
    slow = sum(change.double().square().sum() for change in changes.values())
    assert update_norm(model.unet).item() == pytest.approx(slow.item(), rel=1e-5) and slow > 1
    assert update_norm(build(moved=False).unet) == 0  # at the start


def test_without_updates_it_is_the_start(build, tiny_parts):
    model = build()
    noisy, context = torch.randn(1, *LATENT), torch.randn(1, 5, 16)
    with torch.no_grad():
        start = tiny_parts['unet'](noisy, 7, encoder_hidden_states=context).sample
        moved = model.unet(noisy, 7, encoder_hidden_states=context).sample
        with without_updates(model.unet):
            assert model.unet(noisy, 7, encoder_hidden_states=context).sample.allclose(
                start, atol=1e-6)
        assert model.unet(noisy, 7, encoder_hidden_states=context).sample.equal(moved)
    assert not moved.allclose(start, atol=1e-3)


@pytest.mark.parametrize('velocity', [False, True])
def test_distillation_is_the_distance_from_a_second_model(build, tiny_parts, velocity):
    """Against a slow version with the start as a model of its own, step by step."""
    model, start = build(), tiny_parts['unet']
    context = torch.randn(2, 5, 16)
    torch.manual_seed(3)
    found = text_distillation(model.unet, context, LATENT, model.levels, velocity)
    torch.manual_seed(3)
    steps = torch.randint(len(model.levels), (2,))
    draw, noise = torch.randn(2, 2, *LATENT)
    total = 0.
    with torch.no_grad():
        for i in range(2):
            row = context[i:i + 1]
            last = model.levels[-1].item()
            out = start(draw[i:i + 1], len(model.levels) - 1, encoder_hidden_states=row).sample
            clean = (last ** .5 * draw[i] - (1 - last) ** .5 * out[0] if velocity
                     else (draw[i] - (1 - last) ** .5 * out[0]) / last ** .5).clamp(-4, 4)
            level = model.levels[steps[i]].item()
            noisy = (level ** .5 * clean + (1 - level) ** .5 * noise[i])[None]
            wanted, given = (unet(noisy, steps[i], encoder_hidden_states=row).sample
                             for unet in (start, model.unet))
            total += (given - wanted).square().mean().item() / 2
    assert found.item() == pytest.approx(total, rel=1e-3) and total > 1e-4
    found.backward()
    assert any(value.grad is not None and value.grad.abs().sum() > 0
               for name, value in model.unet.named_parameters() if 'lora' in name)


def test_at_the_start_nothing_is_to_be_distilled(build):
    model = build(moved=False)
    assert text_distillation(model.unet, torch.randn(2, 5, 16), LATENT, model.levels) == 0


def test_losses_of_the_prior_stand_beside_the_first_which_they_do_not_change(build):
    images = torch.rand(2, 3, *SIZE) * 2 - 1
    losses = []
    for prior in (None, dict(l2=.5, distill=2., captions=CAPTIONS)):
        model = build(prior=prior).train()
        torch.manual_seed(5)
        losses.append(model(images, captions=CAPTIONS, mode='loss'))
    alone, beside = losses
    assert alone.keys() == {'loss'}
    assert beside.keys() == {'loss_denoising', 'loss_prior_l2', 'loss_prior_distill'}
    assert alone['loss'].equal(beside['loss_denoising'])
    assert beside['loss_prior_l2'].item() == pytest.approx(.5 * update_norm(model.unet).item())


def test_the_length_pulls_the_updates_back(build):
    """By gradient steps on it alone."""
    model = build(prior=dict(l2=1.))
    values = [value for value in model.unet.parameters() if value.requires_grad]
    optimizer = torch.optim.SGD(values, lr=.05)
    before = update_norm(model.unet).item()
    for _ in range(20):
        optimizer.zero_grad()
        update_norm(model.unet).backward()
        optimizer.step()
    assert update_norm(model.unet).item() < .5 * before


@pytest.mark.parametrize('wrong, message', [
    (dict(l2=float('nan')), 'must be numbers'), (dict(distill=float('inf')), 'must be numbers'),
    (dict(l2='1'), 'must be numbers'), (dict(distill=1, captions=[3]), 'needs a list'),
    (dict(l2=-1), 'must not be negative'), (dict(distill=1, captions=[]), 'needs a list'),
    (dict(distill=1, captions='a man'), 'needs a list'), (dict(l1=1), 'takes l2, distill')])
def test_wrong_options_are_one_line(wrong, message):
    with pytest.raises(BadValue, match=message):
        read_prior(wrong)
    assert read_prior(PriorOptions(l2=1)).l2 == 1
