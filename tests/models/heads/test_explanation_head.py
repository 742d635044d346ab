"""Weights by the change of heat-maps: correlations by loops, the wrapped head, processes."""

import math
from statistics import correlation

import pytest
import torch
from clip_towers import random_images, vision

from mmtbps.models import ExplanationWeightHead, Pairs, ProjectionNeck
from mmtbps.models.heads import BaseHead, EncodedSide
from mmtbps.models.losses import (
    change_weights,
    heat_change,
    info_nce,
    person_area,
    swap_background,
)
from mmtbps.models.retrievers.encoding import finish

GRID = (7, 2)  # of images of 48 x 16 pixels, patches of 8, 6 apart


def test_the_change_is_that_of_correlations():
    generator = torch.Generator().manual_seed(0)
    heat, other = torch.randn(2, 5, 9, generator=generator, dtype=torch.double)
    places = torch.tensor([1, 1, 0, 1, 0, 1, 1, 0, 1]).bool()
    for chosen in (None, places):
        keep = range(9) if chosen is None else [i for i in range(9) if chosen[i]]
        expected = [(1 - correlation(a[list(keep)].tolist(), b[list(keep)].tolist())) / 2
                    for a, b in zip(heat, other, strict=True)]
        value = heat_change(heat, other, chosen)
        torch.testing.assert_close(value, torch.tensor(expected, dtype=torch.double))
        torch.testing.assert_close(heat_change(3 * heat - 2, other, chosen), value)
    assert heat_change(torch.ones(1, 4), torch.arange(4.)[None]) == 0.5
    equal = torch.randn(500, 9, generator=generator)  # some correlations are above 1 by rounding
    assert heat_change(equal, equal).min() >= 0
    with pytest.raises(ValueError, match=r'must be \(N, P\), got \(5, 9\) and \(4, 9\)'):
        heat_change(heat, other[:4])


def test_weights_rise_with_the_change_and_have_mean_one():
    change = torch.tensor([0.0, 0.1, 0.3, 0.2]).double()
    weights = change_weights(change, change.mean(), 3.0)
    torch.testing.assert_close(weights, torch.tensor(
        [(1 + 3 * c / 0.15) / 4 for c in (0.0, 0.1, 0.3, 0.2)]).double())
    assert weights.mean().item() == pytest.approx(1)
    assert change_weights(change, change.mean(), 0.0).eq(1).all()
    assert change_weights(0 * change, torch.tensor(0.0).double()).eq(1).all()
    with pytest.raises(ValueError, match='strength must not be negative, got -1'):
        change_weights(change, change.mean(), -1)


def test_only_the_outside_of_the_ellipse_is_swapped():
    area = person_area(48, 16, (0.9, 0.5))
    for row in range(48):
        for column in range(16):
            height, width = (row + 0.5) / 48 - 0.5, (column + 0.5) / 16 - 0.5
            assert area[row, column] == (math.hypot(height / 0.45, width / 0.25) <= 1)
    images = random_images(3)
    changed = swap_background(images, area)
    assert torch.equal(changed[..., area], images[..., area])
    assert torch.equal(changed[1][:, ~area], images[0][:, ~area])
    assert torch.equal(changed[0][:, ~area], images[2][:, ~area])


@pytest.fixture
def pairs():
    tower, neck = vision(), ProjectionNeck(32, 12)
    images, text = random_images(), torch.randn(3, 12, generator=torch.Generator().manual_seed(1))

    def encode(given):
        return finish(tower, neck, tower.embed(given), read_only=False)

    return Pairs(encode(images), EncodedSide({'global': text.requires_grad_()}), torch.arange(3),
                 encode_image=encode, images=images)


def slow_change(pairs, shares):
    """One pair after the other; the background is a loop over pixels."""
    changed = pairs.images.clone()
    for row in range(48):
        for column in range(16):
            if not person_area(48, 16, shares)[row, column]:
                changed[:, :, row, column] = pairs.images[[2, 0, 1], :, row, column]
    inside = [i for i in range(14) if person_area(*GRID, shares).flatten()[i]]
    other, changes = pairs.encode_image(changed), []
    for i in range(3):
        heats = [[torch.cosine_similarity(side.single_tokens[i, 1 + p], pairs.text.parts['global'][
            i], dim=0).item() for p in inside] for side in (pairs.image, other)]
        changes.append((1 - correlation(*heats)) / 2)
    return changes


@pytest.mark.parametrize('given', [None, torch.tensor([1.0, 0.5, 0.25])])
def test_the_head_inside_sees_the_weights(pairs, given):
    pairs.weights, shares = given, (0.9, 1.2)
    head = ExplanationWeightHead(dict(type='HardnessAwareContrastiveHead', temperature=0.2),
                                 strength=2.0, area=shares)
    losses = head(pairs, [])
    changes = slow_change(pairs, shares)
    mean = sum(changes) / 3
    weights = torch.tensor([(1 + 2 * change / mean) / 3 for change in changes])
    assert mean > 0.01 and weights.max() - weights.min() > 0.1
    if given is not None:
        weights = weights * given
    expected = info_nce(pairs.image.parts['global'], pairs.text.parts['global'], 0.2,
                        pair_weights=weights)
    torch.testing.assert_close(losses['loss_contrastive'], expected, rtol=1e-4, atol=1e-5)
    assert losses['heat_change'].item() == pytest.approx(mean, rel=1e-3)
    first = torch.autograd.grad(losses['loss_contrastive'], pairs.text.parts['global'],
                                retain_graph=True)
    second = torch.autograd.grad(expected, pairs.text.parts['global'])
    torch.testing.assert_close(first, second, rtol=1e-3, atol=1e-5)


def test_a_tower_without_patches_is_refused(pairs):
    head = ExplanationWeightHead(dict(type='SynTBPRHead'))
    pairs.image.grid = None
    with pytest.raises(ValueError, match='needs an image tower over patches'):
        head(pairs, [])


class Unheeding(BaseHead):
    """A head of another project, which knows nothing of weights."""

    forward = None


@pytest.mark.parametrize('options, says', [
    (dict(head=dict(type=Unheeding)), 'Unheeding heeds no weights of pairs'),
    (dict(strength=-1.0), 'got -1.0'), (dict(area=(0.0, 0.5)), r'got 1.0 and \(0.0, 0.5\)')])
def test_bad_options_are_refused(options, says):
    with pytest.raises(ValueError, match=says):
        ExplanationWeightHead(**{'head': dict(type='SynTBPRHead'), **options})
