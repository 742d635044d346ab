"""Sentences that are true of several images: the loss against loops, and the head."""

import math

import pytest
import torch

from mmtbps.errors import BadValue
from mmtbps.models import Pairs
from mmtbps.models.heads import EncodedSide, PartialCaptionHead
from mmtbps.models.losses import count_known, partial_caption_loss

# Facts 1, 2, 3; sentences ask for {1}, {1, 2}, {3}, nothing, {2}, {3, 1}.
ASKED = [[1], [1, 2], [3], [], [2], [3, 1]]
TRUE = [[1, 2], [1], [3, 9]]
FALSE = [[3], [2, 3], [1]]
SAYS = {True: [(0, 0), (0, 1), (0, 4), (1, 0), (2, 2)],
        False: [(0, 2), (0, 5), (1, 1), (1, 2), (1, 4), (1, 5), (2, 0), (2, 1), (2, 5)]}


def padded(rows):
    mask = torch.tensor([[i < len(row) for i in range(4)] for row in rows])
    return torch.tensor([row + [1] * (4 - len(row)) for row in rows]), mask  # fillers mean nothing


def table(value):
    found = torch.zeros(3, 6, dtype=torch.bool)
    for i, j in SAYS[value]:
        found[i, j] = True
    return found


def features(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(n, 5, generator=generator).double().requires_grad_() for n in (3, 6)]


def cosine(a, b):
    return (a @ b) / (a.norm() * b.norm())


def slow(rows, columns, true, false, temperature, weights=None):
    total = 0
    for i in range(len(rows)):
        scores = [cosine(rows[i], column) / temperature for column in columns]
        wrong = [scores[j].exp() for j in range(len(columns)) if false[i, j]]
        terms = [-(scores[j].exp() / (scores[j].exp() + sum(wrong))).log()
                 for j in range(len(columns)) if true[i, j] and wrong]
        if terms:
            total = total + (1 if weights is None else weights[i]) * sum(terms) / len(terms)
    return total / len(rows)


def head_loss(image, text, temperature=.3, weights=None):
    inputs = dict(partial_input_ids=torch.zeros(6, 4),
                  partial_input_ids_mask=torch.ones(6, 4).bool())
    for name, rows in dict(partial_facts=ASKED, true_facts=TRUE, false_facts=FALSE).items():
        inputs[name], inputs[f'{name}_mask'] = padded(rows)
    pairs = Pairs(EncodedSide({'global': image}), EncodedSide({'global': image}),
                  torch.arange(3), inputs=inputs, weights=weights,
                  encode_text=lambda ids, mask: EncodedSide({'global': text}))
    return PartialCaptionHead(temperature=temperature)(pairs, [])['loss_partial_caption']


def test_known_facts_are_counted():
    found = count_known(*padded(ASKED), *padded(TRUE))
    assert found.tolist() == [[len(set(asked) & set(known)) for asked in ASKED] for known in TRUE]
    nothing = count_known(*padded([[], []]), *padded(TRUE))
    assert nothing.tolist() == [[0, 0]] * 3


@pytest.mark.parametrize('weights', [None, [2., .5, 0.]])
def test_loss_and_gradient_equal_loops(weights):
    weights = weights and torch.tensor(weights).double()
    gradients = []
    for function in (partial_caption_loss, slow):
        image, text = features()
        loss = function(image, text, table(True), table(False), .3, weights)
        gradients.append((loss, *torch.autograd.grad(loss, (image, text))))
    for ours, loops in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, loops)
    assert gradients[0][0] > 0.05


def test_rows_without_true_or_without_false_columns_count_zero_and_have_no_gradient():
    image, text = features()
    true, false = table(True), table(False)
    true[1], false[2] = False, False
    loss = partial_caption_loss(image, text, true, false, .3)
    gradient, = torch.autograd.grad(loss, image)
    torch.testing.assert_close(loss, slow(image, text, true, false, .3))
    assert gradient.isfinite().all() and (gradient[1:] == 0).all() and gradient[0].any()


def test_head_averages_both_directions():
    image, text = features()
    true, false = table(True), table(False)
    expected = (slow(image, text, true, false, .3) + slow(text, image, true.T, false.T, .3)) / 2
    torch.testing.assert_close(head_loss(image, text), expected)


def test_weights_of_pairs_go_to_images_and_to_their_sentences():
    image, text = features()
    true, false, weights = table(True), table(False), torch.tensor([2., 0., .5]).double()
    expected = (slow(image, text, true, false, .3, weights)
                + slow(text, image, true.T, false.T, .3, weights.repeat_interleave(2))) / 2
    torch.testing.assert_close(head_loss(image, text, weights=weights), expected)


def test_half_precision_is_computed_in_float32():
    image, text = (one.detach().float() for one in features())
    with torch.autocast('cpu', torch.bfloat16):
        half = head_loss(image.bfloat16(), text.bfloat16(), .05)
    exact = head_loss(image.bfloat16().float(), text.bfloat16().float(), .05)
    assert half.dtype == torch.float32 and half.item() == exact.item()


@pytest.mark.parametrize(('options', 'words'), [
    (dict(temperature=0), 'temperature must be positive'),
    (dict(loss_weight=-1), 'loss_weight must not be negative')])
def test_settings_out_of_range_are_refused(options, words):
    with pytest.raises(BadValue, match=words):
        PartialCaptionHead(**options)


def test_shapes_that_do_not_fit_are_named():
    image, text = features()
    with pytest.raises(ValueError, match=r'must be \(3, 6\), got \(3, 5\)'):
        partial_caption_loss(image, text, table(True)[:, :5], table(False)[:, :5])
    with pytest.raises(ValueError, match='temperature must be positive'):
        partial_caption_loss(image, text, table(True), table(False), -1.)


def test_one_true_pair_against_one_false_is_a_logistic_loss():
    rows, columns = torch.tensor([[1., 0.]]), torch.tensor([[0., 2.], [3., 0.]])
    true = torch.tensor([[False, True]])
    loss = partial_caption_loss(rows, columns, true, ~true, temperature=.5)
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-2)))
