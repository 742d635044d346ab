"""Weights of likely false negatives against sets of neighbours, and their part in InfoNCE."""

import math

import pytest
import torch

from mmtbps.models import HardnessAwareContrastiveHead, Pairs
from mmtbps.models.heads import EncodedSide
from mmtbps.models.losses import info_nce, neighbour_weights


def slow_weights(text, people, nearest, first_cosine, second_cosine, shared, first, second):
    """The definition, by sets."""
    rows = text.tolist()
    count = range(len(rows))
    cosines = [[sum(a * b for a, b in zip(x, y, strict=True)) / math.hypot(*x) / math.hypot(*y)
                for y in rows] for x in rows]
    chosen = []
    for i in count:
        others = sorted((j for j in count if j != i), key=lambda j, i=i: -cosines[i][j])
        chosen.append({j for j in others[:nearest] if cosines[i][j] > first_cosine})
    near = [{j for j in count if j != i and (
        j in chosen[i] or i in chosen[j] or (people and people[i] == people[j]))} for i in count]
    weights = [[1.0] * len(rows) for _ in count]
    for i in count:
        for j in count:
            if j in near[i]:
                weights[i][j] = first
            elif i != j and len(near[i] & near[j]) >= shared and cosines[i][j] > second_cosine:
                weights[i][j] = second
    return torch.tensor(weights, dtype=text.dtype)


def captions(seed=0, count=14):
    """Features in a narrow cone, so that there are neighbours of both orders and strangers."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 3, generator=generator, dtype=torch.double) + torch.tensor(
        [1.0, 0.3, 0.0])


@pytest.mark.parametrize('people', [None, [0, 1, 2, 3, 0, 5, 6, 7, 8, 9, 10, 3, 12, 13]])
@pytest.mark.parametrize('options', [(3, 0.8, 0.5, 2), (2, 0.7, 0.6, 1), (20, 0.9, 0.2, 1)])
def test_weights_equal_the_sets(people, options):
    seen = set()
    for seed in range(4):
        text = captions(seed)
        ids = None if people is None else torch.tensor(people)
        weights = neighbour_weights(text * 7, ids, *options, 0.1, 0.3)
        torch.testing.assert_close(weights, slow_weights(text, people, *options, 0.1, 0.3))
        seen |= set(weights.unique().tolist())
    assert seen == {0.1, 0.3, 1.0}


def slow_loss(image, text, temperature, weights, targets):
    """InfoNCE whose exponentials of negatives have a factor, number by number."""
    total = 0.0
    for a, b in ((image, text), (text, image)):
        for i in range(len(a)):
            scores = [float(a[i] @ y / (a[i].norm() * y.norm())) / temperature for y in b]
            mine = [j for j in range(len(b)) if j in targets[i]]
            log_sum = math.log(sum(math.exp(z) * (1 if j in mine else float(weights[i][j]))
                                   for j, z in enumerate(scores)))
            total -= sum(scores[j] - log_sum for j in mine) / len(mine)
    return total / len(image) / 2


@pytest.mark.parametrize('same_person, targets', [
    ('negative', [[0], [1], [2], [3]]), ('positive', [[0, 2], [1], [0, 2], [3]])])
def test_exponentials_of_negatives_are_weighed(same_person, targets):
    torch.manual_seed(0)
    image, text, weights = (torch.rand(4, size).double() + 0.1 for size in (5, 5, 4))
    ids = torch.tensor([3, 1, 3, 0])
    value = info_nce(image, text, 0.1, ids, same_person, negative_weights=weights)
    assert value.item() == pytest.approx(slow_loss(image, text, 0.1, weights, targets), rel=1e-10)
    assert abs(value - info_nce(image, text, 0.1, ids, same_person)) > 1e-3


def test_the_weights_have_no_gradient_and_soft_targets_stay():
    text = captions(count=5).requires_grad_()
    assert not neighbour_weights(text).requires_grad
    image, weights = captions(1, 5), neighbour_weights(text, None, 3, 0.5)
    assert (weights < 1).any()
    logits = torch.nn.functional.normalize(image) @ torch.nn.functional.normalize(text).T / 0.5
    loss = 0
    for scores in (logits, logits.T):
        target = 0.3 * scores.detach().sigmoid() + 0.7 * torch.eye(5)
        target = target / target.sum(1, keepdim=True)
        loss = loss - (target * (scores + weights.log()).log_softmax(1)).sum(1).mean() / 2
    value = info_nce(image, text, 0.5, soft_share=0.3, negative_weights=weights)
    torch.testing.assert_close(value, loss)


def test_the_head_weighs_by_the_captions_of_the_joined_batch():
    image, text, people = captions(3), captions(4), torch.arange(14)
    options = dict(nearest=3, first_cosine=0.7)
    head = HardnessAwareContrastiveHead(temperature=0.05, neighbours=options)
    pairs = Pairs(EncodedSide({'global': image}), EncodedSide({'global': text}), people)
    value = head(pairs, [])['loss_contrastive']
    weights = neighbour_weights(text, people, **options)
    assert value == info_nce(image, text, 0.05, negative_weights=weights)
    assert value < info_nce(image, text, 0.05)


@pytest.mark.parametrize('options, says', [
    (dict(nearest=0), 'nearest and shared must be at least 1, got 0'),
    (dict(shared=0), 'at least 1'), (dict(first_weight=0.0), r'must lie in \(0, 1\], got 0.0'),
    (dict(second_weight=1.5), r'in \(0, 1\]'),
    (dict(near=3), "unexpected keyword argument 'near'")])
def test_bad_options_are_named_when_the_head_is_built(options, says):
    with pytest.raises(ValueError, match=f'neighbours: .*{says}'):
        HardnessAwareContrastiveHead(neighbours=options)


def test_weights_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r'negative_weights must be \(3, 3\), got \(3,\)'):
        info_nce(torch.eye(3), torch.eye(3), negative_weights=torch.ones(3))
