"""SynTBPR's losses against plain loops, with weights, several people and the learned scale."""

import math

import pytest
import torch

from mmtbps.models import Pairs, SynTBPRHead
from mmtbps.models.heads import EncodedSide
from mmtbps.models.losses import blended_contrast

PEOPLE = [3, 1, 3, 0, 1]


def features(seed=0):
    generator = torch.Generator().manual_seed(seed)
    image = torch.randn(5, 6, generator=generator, dtype=torch.double)
    return image.requires_grad_(), (image.detach() + torch.randn(
        5, 6, generator=generator, dtype=torch.double)).requires_grad_()


def slow(image, text, temperature, share, epsilon, weights=None, renormalised=True):
    forward = reverse = 0
    for a, b in ((image, text), (text, image)):
        for i, person in enumerate(PEOPLE):
            logits = [(a[i] @ y) / (a[i].norm() * y.norm()) / temperature for y in b]
            log_sum = sum(z.exp() for z in logits).log()
            same = [j for j, other in enumerate(PEOPLE) if other == person]
            target = [share / (1 + math.exp(-z.item())) + (1 - share) * (j in same) / len(same)
                      for j, z in enumerate(logits)]
            if renormalised:
                target = [value / sum(target) for value in target]
            weight = 1 if weights is None else weights[i]
            for z, q in zip(logits, target, strict=True):
                forward = forward - weight * q * (z - log_sum) / 10
                reverse = reverse + weight * (z - log_sum).exp() * (
                    z - log_sum - math.log(q + epsilon)) / 10
    return forward, reverse


@pytest.mark.parametrize('weights', [None, [1.0, 0.25, 0.0, 1.0, 0.6]])
@pytest.mark.parametrize('temperature, share, epsilon', [(0.3, 0.005, 1e-8), (1.0, 0.4, 1e-2)])
def test_it_equals_the_loops(weights, temperature, share, epsilon):
    given = None if weights is None else torch.tensor(weights).double()
    results = []
    for losses in (lambda i, t: blended_contrast(i, t, torch.tensor(PEOPLE), temperature, share,
                                                 epsilon, given),
                   lambda i, t: slow(i, t, temperature, share, epsilon, given)):
        image, text = features()
        forward, reverse = losses(image, text)
        (forward + 2 * reverse).backward()
        results.append((forward.detach(), reverse.detach(), image.grad, text.grad))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-10)
    plain, _ = slow(*features(), temperature, share, epsilon, given, renormalised=False)
    assert abs(plain - results[0][0]) > 1e-3  # the row sum matters


def test_the_head_learns_its_temperature_and_heeds_weights():
    image, text = features()
    weights = torch.tensor([1.0, 0.5, 1.0, 0.0, 1.0]).double()
    head = SynTBPRHead(share=0.1, temperature=0.2, loss_weight=0.5).double()
    pairs = Pairs(EncodedSide({'global': image}), EncodedSide({'global': text}),
                  torch.tensor(PEOPLE), weights=weights)
    losses = head(pairs, [])
    forward, reverse = slow(image, text, 0.2, 0.1, 1e-8, weights)
    assert set(losses) == {'loss_nitc', 'loss_ritc', 'temperature_syntbpr'}
    torch.testing.assert_close(losses['loss_nitc'], forward / 2, rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(losses['loss_ritc'], reverse / 2, rtol=1e-6, atol=1e-8)
    losses['loss_ritc'].backward()
    assert head.logit_scale.grad != 0 and head.heeds_weights


@pytest.mark.parametrize('options', [dict(share=1.5), dict(epsilon=0.0), dict(temperature=0.0),
                                     dict(max_scale=-1.0)])
def test_bad_options_are_refused(options):
    with pytest.raises(ValueError, match='got'):
        SynTBPRHead(**options)
    if 'share' in options or 'epsilon' in options:
        with pytest.raises(ValueError, match='got'):
            blended_contrast(torch.eye(2), torch.eye(2), torch.arange(2), 1.0, **options)
