"""Wrong captions as text negatives: the loss against loops, the head and its gradients."""

import math

import pytest
import torch

from mmtbps.errors import BadValue
from mmtbps.models import Pairs
from mmtbps.models.heads import EncodedSide, TextNegativesHead
from mmtbps.models.losses import text_negatives_loss

PEOPLE = [3, 1, 3, 0]
REAL = torch.tensor([[True, True], [True, False], [False, False], [True, True]])


def features(seed=0):
    generator = torch.Generator().manual_seed(seed)
    image, text = (torch.randn(4, 6, generator=generator).double() for _ in range(2))
    return image.requires_grad_(), text.requires_grad_(), torch.randn(
        4, 2, 6, generator=generator).double().requires_grad_()


def cosine(a, b):
    return (a @ b) / (a.norm() * b.norm())


def slow(image, text, negatives, temperature, among, weights=None):
    total = 0
    for i in range(4):
        own = cosine(image[i], text[i]) / temperature
        rivals = [own]
        if among == 'batch':
            rivals += [cosine(image[i], text[j]) / temperature for j in range(4)
                       if PEOPLE[j] != PEOPLE[i]]
        rivals += [cosine(image[i], negatives[j, k]) / temperature for j in range(4)
                   for k in range(2) if REAL[j, k] and (among == 'batch' or j == i)]
        weight = 1 if weights is None else weights[i]
        total = total - weight * (own - sum(score.exp() for score in rivals).log()) / 4
    return total


class FakePass:
    """A second pass through the text tower that gives known features."""

    def __init__(self, negatives):
        self.negatives = negatives

    def __call__(self, ids, mask):
        assert ids.shape == mask.shape == (8, 5)
        return EncodedSide({'global': self.negatives.flatten(0, 1)})


def pairs_of(image, text, negatives, weights=None):
    inputs = dict(negative_input_ids=torch.zeros(8, 5), negative_real=REAL,
                  negative_input_ids_mask=torch.ones(8, 5).bool())
    return Pairs(EncodedSide({'global': image}), EncodedSide({'global': text}),
                 torch.tensor(PEOPLE), encode_text=FakePass(negatives), weights=weights,
                 inputs=inputs)


@pytest.mark.parametrize('weights', [None, torch.tensor([1., .25, 0., .6]).double()])
@pytest.mark.parametrize('among', ['own', 'batch'])
def test_the_head_equals_the_loops(among, weights):
    results = []
    for loss in (lambda v, t, n: TextNegativesHead(.3, among, loss_weight=2.)(
            pairs_of(v, t, n, weights), [])['loss_text_negatives'],
                 lambda v, t, n: 2 * slow(v, t, n, .3, among, weights)):
        inputs = features()
        value = loss(*inputs)
        value.backward()
        results.append((value.detach(), *(one.grad for one in inputs)))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-10)
    # A filler has no part in it.
    assert (results[0][3][~REAL] == 0).all() and (results[0][3][0] != 0).all()


def test_an_image_without_rivals_costs_nothing():
    image, text, negatives = (one.detach() for one in features())
    assert text_negatives_loss(image, text, negatives, torch.zeros(4, 2).bool()) == 0
    one = text_negatives_loss(image, image, image[:, None], torch.ones(4, 1).bool(), .1)
    assert one.item() == pytest.approx(math.log(2))


def test_processes_compute_what_one_does():
    image, text, negatives = features()
    whole = text_negatives_loss(image, text, negatives, REAL, .2, text, negatives, REAL)
    halves = [text_negatives_loss(
        image[rows], text[rows], negatives[rows], REAL[rows], .2, text, negatives, REAL,
        first_row=rows.start) for rows in (slice(0, 2), slice(2, 4))]
    torch.testing.assert_close(sum(halves) / 2, whole)


@pytest.mark.parametrize('changes, says', [
    (dict(text=torch.zeros(3, 6)), 'must be'), (dict(temperature=0.), 'temperature'),
    (dict(negatives=torch.zeros(4, 6)), r'negatives must be \(4, K, 6\), got \(4, 6\)'),
    (dict(real=torch.ones(4, 3).bool()), r'real must be \(4, 2\), got \(4, 3\)')])
def test_wrong_shapes_are_refused(changes, says):
    image, text, negatives = features()
    with pytest.raises(ValueError, match=says):
        text_negatives_loss(**{**dict(image=image, text=text, negatives=negatives, real=REAL),
                               **changes})


@pytest.mark.parametrize('options', [dict(temperature=0.), dict(among='all'),
                                     dict(loss_weight=-1.)])
def test_wrong_options_are_refused(options):
    with pytest.raises(BadValue, match=next(iter(options))):
        TextNegativesHead(**options)
