"""Attributes that captions tell as labels: the loss against loops, and the head."""

import math

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from mmtbps.errors import BadValue
from mmtbps.lexicon.stated_facts import fact_number
from mmtbps.models import Pairs
from mmtbps.models.heads import AttributeHead, EncodedSide, IdentityHead, PartialCaptionHead
from mmtbps.models.losses import asked_rows_loss, attribute_loss

ROWS = 8
# Facts of three images; 8 leaves the same remainder as 0, and 13 as 5.
TRUE, FALSE = [[1, 2, 13], [8], []], [[3], [2, 11, 0], []]


def padded(rows):
    longest = 1 + max(map(len, rows))  # one filler at least; what fills means nothing
    mask = torch.tensor([[i < len(row) for i in range(longest)] for row in rows])
    return torch.tensor([row + [6] * (longest - len(row)) for row in rows]), mask


def inputs():
    found = {}
    for name, rows in dict(true_facts=TRUE, false_facts=FALSE).items():
        found[name], found[f'{name}_mask'] = padded(rows)
    return found


def head(**options):
    torch.manual_seed(0)
    built = AttributeHead(in_dims=4, rows=ROWS, **options).double()
    torch.nn.init.normal_(built.classifier.weight)
    torch.nn.init.normal_(built.classifier.bias)
    return built


def features():
    return torch.randn(3, 4, generator=torch.Generator().manual_seed(1)).double().requires_grad_()


def head_loss(built, image, weights=None):
    side = EncodedSide({'global': image})
    return built(Pairs(side, side, torch.arange(3), inputs=inputs(), weights=weights), [])


def slow(built, image, weights=(1, 1, 1)):
    total = 0
    for row, true, false, weight in zip(image, TRUE, FALSE, weights, strict=True):
        held = {fact % ROWS for fact in true}
        asked = {fact % ROWS: 1. for fact in true}
        asked |= {fact % ROWS: 0. for fact in false if fact % ROWS not in held}
        for place, label in asked.items():
            logit = row @ built.classifier.weight[place] + built.classifier.bias[place]
            chance = 1 / (1 + (-logit).exp())
            total = total - weight * (chance if label else 1 - chance).log()
    return total / len(image)


@pytest.mark.parametrize('weights', [None, [2., .5, 1.]])
def test_head_and_its_gradients_equal_loops(weights):
    built, found = head(), []
    weighed = None if weights is None else torch.tensor(weights).double()
    for loss in (lambda x: head_loss(built, x, weighed)['loss_attribute'],
                 lambda x: slow(built, x, weights or (1, 1, 1))):
        image = features()
        value = loss(image)
        found.append((value, *torch.autograd.grad(value, (image, *built.parameters()))))
    for ours, loops in zip(*found, strict=True):
        torch.testing.assert_close(ours, loops)
    assert found[0][0] > .5
    assert found[0][2][[4, 6, 7]].eq(0).all()  # rows that nobody spoke of, fillers among them


def test_what_is_unknown_teaches_nothing():
    image = features()
    gradient, = torch.autograd.grad(head_loss(head(), image)['loss_attribute'], image)
    assert gradient[2].eq(0).all() and gradient[:2].any(1).all()


@pytest.mark.parametrize('power', [.5, 1., 9.])
def test_what_is_seldom_true_weighs_more_where_it_is(power):
    built = head(rarity_power=power)
    image = torch.randn(5, 4, generator=torch.Generator().manual_seed(3)).double()
    true, false = [[1], [2], [2], [2], []], [[2], [1], [1, 3], [1], [2, 8]]
    given = {}
    for name, rows in dict(true_facts=true, false_facts=false).items():
        given[name], given[f'{name}_mask'] = padded(rows)
    side = EncodedSide({'global': image})
    found = built(Pairs(side, side, torch.arange(5), inputs=given), [])['loss_attribute']
    # Fact 1 is true once and false three times; fact 2 is true as often, and more, as it is false.
    weight = {1: min(6., (4 / 2) ** power), 2: 1.}
    total = 0
    for row, yes, no in zip(image, true, false, strict=True):
        for fact in (*yes, *no):
            logit = row @ built.classifier.weight[fact % ROWS] + built.classifier.bias[fact % ROWS]
            chance = 1 / (1 + (-logit).exp())
            total = total - (weight[fact] * chance.log() if fact in yes else (1 - chance).log())
    torch.testing.assert_close(found, total / 5)
    assert power < 9 or weight[1] == 6


def test_what_is_small_weighs_as_much_as_it_is_told_to():
    numbers = [fact_number(fact) for fact in ('a hat', 'upper: red', 'a scarf', 'a coat')]
    given = dict(true_facts=torch.tensor([numbers[:2]]), false_facts=torch.tensor([numbers[2:]]))
    given |= {f'{name}_mask': torch.ones(1, 2).bool() for name in tuple(given)}
    image = torch.ones(1, 4).double()
    side, losses = EncodedSide({'global': image}), {}
    for weight in (1., 3.):
        torch.manual_seed(0)
        built = AttributeHead(in_dims=4, small_weight=weight).double()
        losses[weight] = built(Pairs(side, side, torch.arange(1), inputs=given), [])
        assert set(built.state_dict()) == {'classifier.weight', 'classifier.bias'}
    logits = image @ built.classifier.weight[[number % 8192 for number in numbers]].T
    hat, red, scarf, coat = torch.nn.functional.softplus(
        logits[0] * torch.tensor([-1, -1, 1, 1])).tolist()
    assert losses[1.]['loss_attribute'].item() == pytest.approx(hat + red + scarf + coat)
    assert losses[3.]['loss_attribute'].item() == pytest.approx(3 * (hat + scarf) + red + coat)


# Of three images two sentences each; the last two ask for nothing.
ASKED = [[1, 13], [2], [5], [11, 8], [], []]


def sentence_loss(built, text, weights=None):
    passes = []

    def encode_text(ids, mask):
        passes.append(ids)
        return EncodedSide({'global': text})

    facts, mask = padded(ASKED)
    given = dict(inputs(), partial_facts=facts, partial_facts_mask=mask,
                 partial_input_ids=torch.zeros(6, 3), partial_input_ids_mask=torch.ones(6, 3) > 0)
    side = EncodedSide({'global': features().detach()})
    pairs = Pairs(side, side, torch.arange(3), inputs=given, weights=weights,
                  encode_text=encode_text)
    loss = built(pairs, [])['loss_attribute_text']
    PartialCaptionHead()(pairs, [])
    assert len(passes) == 1  # for both heads
    return loss


@pytest.mark.parametrize('weights', [None, [2., .5, 1.]])
def test_sentences_turn_to_the_rows_of_what_they_ask_for(weights):
    built = head(sentence_weight=3., loss_weight=2.)
    text = torch.randn(6, 4, generator=torch.Generator().manual_seed(2)).double().requires_grad_()
    total = 0
    for place, (row, facts) in enumerate(zip(text, ASKED, strict=True)):
        if facts:
            goal = sum(built.classifier.weight[fact % ROWS].detach() for fact in facts)
            cosine = (row @ goal) / row.norm() / goal.norm()
            total = total + (weights[place // 2] if weights else 1) * (1 - cosine)
    expected = 2 * 3 * total / 6
    weighed = None if weights is None else torch.tensor(weights).double()
    found = sentence_loss(built, text, weighed)
    torch.testing.assert_close(found, expected)
    assert expected > 1
    for ours, loops in zip(*(torch.autograd.grad(value, (text, *built.parameters()),
                                                 allow_unused=True)
                             for value in (found, expected)), strict=True):
        torch.testing.assert_close(ours, loops)  # None for the classifier: it is not moved


def test_sentences_are_asked_for_only_if_they_weigh():
    assert head().needs == ('true_facts', 'false_facts')
    assert head(sentence_weight=1.).needs[2:] == ('partial_input_ids', 'partial_facts')
    assert set(head_loss(head(), features())) == {'loss_attribute'}


def test_loss_is_the_library_s_where_all_is_known():
    logits = torch.tensor([[3., -1., 90.], [-2., .5, -90.]])
    true = torch.tensor([[True, False, False], [False, True, True]])
    torch.testing.assert_close(
        attribute_loss(logits, true, ~true),
        binary_cross_entropy_with_logits(logits, true.float(), reduction='none').sum(1).mean())


def test_half_precision_is_computed_in_float32():
    logits = torch.tensor([[.123, -4.5]]).bfloat16()
    true = torch.tensor([[True, False]])
    with torch.autocast('cpu', torch.bfloat16):
        half = attribute_loss(logits, true, ~true)
    assert half.dtype == torch.float32
    assert half.item() == attribute_loss(logits.float(), true, ~true).item()


def test_loss_is_weighted_and_named_by_its_part():
    built, image = head(loss_weight=3., part='tse'), features()
    side = EncodedSide({'tse': image})
    losses = built(Pairs(side, side, torch.arange(3), inputs=inputs()), [])
    assert list(losses) == ['loss_attribute_tse']
    torch.testing.assert_close(losses['loss_attribute_tse'], 3 * slow(built, image))


def test_start_is_even():
    image = torch.zeros(3, 4)
    loss = head_loss(AttributeHead(in_dims=4, rows=ROWS), image)['loss_attribute']
    assert loss.item() == pytest.approx((4 + 3) * math.log(2) / 3)  # 8 and 0 share a row: true


@pytest.mark.parametrize('other', [AttributeHead(in_dims=6), IdentityHead(9, in_dims=6)])
def test_features_of_another_width_are_named_with_the_cure(other):
    with pytest.raises(BadValue, match="part 'global' is 4 wide, in_dims is 6; set in_dims=4"):
        head_loss(other, features().float())


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(BadValue, match='rows must be at least 1, got 0'):
        AttributeHead(rows=0)
    with pytest.raises(BadValue, match='sentence_weight must not be negative, got -1'):
        AttributeHead(sentence_weight=-1)
    for power in (-.5, math.nan, math.inf):
        with pytest.raises(BadValue, match=f'rarity_power must not be negative.*got {power}'):
            AttributeHead(rarity_power=power)
    for weight in (0, math.nan, math.inf):
        with pytest.raises(BadValue, match=f'small_weight must be positive.*got {weight}'):
            AttributeHead(small_weight=weight)
    with pytest.raises(ValueError, match=r'asked must be \(2, 3\), got \(2, 2\)'):
        asked_rows_loss(torch.zeros(2, 4), torch.zeros(3, 4), torch.ones(2, 2) > 0)
    with pytest.raises(ValueError, match=r'must be \(2, 3\) as the logits, got \(2, 2\)'):
        attribute_loss(torch.zeros(2, 3), torch.ones(2, 2) > 0, torch.zeros(2, 3) > 0)
