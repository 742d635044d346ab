"""The head: temperature, same-person pairs, part."""

import math

import pytest
import torch

from mmtbps.models import HardnessAwareContrastiveHead, Pairs
from mmtbps.models.heads import EncodedSide
from mmtbps.models.losses import info_nce


def loss_of(head, image, text, *people, part='global'):
    pairs = Pairs(EncodedSide({part: image}), EncodedSide({part: text}), torch.tensor(people))
    return head(pairs, samples=[])


def test_default_is_the_papers_loss():
    torch.manual_seed(0)
    image, text = torch.randn(3, 4), torch.randn(3, 4)
    loss = loss_of(HardnessAwareContrastiveHead(), image, text, 0, 1, 2)
    assert list(loss) == ['loss_contrastive']
    assert loss['loss_contrastive'] == info_nce(image, text, 0.005)


@pytest.mark.parametrize('same_person', ['masked', 'positive'])
def test_person_ids_are_those_of_the_pairs(same_person):
    torch.manual_seed(0)
    image, text = torch.randn(3, 4), torch.randn(3, 4)
    head = HardnessAwareContrastiveHead(temperature=0.1, same_person=same_person)
    value = loss_of(head, image, text, 5, 5, 9)['loss_contrastive']
    assert value == info_nce(image, text, 0.1, torch.tensor([5, 5, 9]), same_person)
    assert value != info_nce(image, text, 0.1)


def test_learnable_temperature_has_a_floor_it_can_leave():
    head = HardnessAwareContrastiveHead(temperature=0.02, learnable=True, min_temperature=0.01)
    image, text = torch.eye(3)[:, [1, 2, 0]], torch.eye(3)  # all wrong: wants a higher one
    with torch.no_grad():
        head.log_temperature.fill_(math.log(1e-5))
    loss = loss_of(head, image, text, 0, 1, 2)
    assert loss['temperature'].item() == pytest.approx(0.01)
    loss['loss_contrastive'].backward()
    assert head.log_temperature.grad < 0  # gradient descent raises it again


def test_fixed_temperature_is_no_parameter():
    assert not list(HardnessAwareContrastiveHead().parameters())


def test_the_loss_takes_the_part_it_names():
    torch.manual_seed(0)
    image, text = torch.randn(3, 4), torch.randn(3, 4)
    head = HardnessAwareContrastiveHead(temperature=0.1, part='tse')
    value = loss_of(head, image, text, 0, 1, 2, part='tse')['loss_contrastive']
    assert value == info_nce(image, text, 0.1)
    with pytest.raises(KeyError, match='tse'):
        loss_of(head, image, text, 0, 1, 2)


def test_soft_labels_and_weights_reach_the_loss():
    torch.manual_seed(0)
    image, text, weights = torch.randn(4, 6), torch.randn(4, 6), torch.tensor([1., .5, .25, 1.])
    pairs = Pairs(EncodedSide({'global': image}), EncodedSide({'global': text}), torch.arange(4),
                  weights=weights)
    head = HardnessAwareContrastiveHead(temperature=0.1, soft_share=0.005)
    value = head(pairs, samples=[])['loss_contrastive']
    assert value == info_nce(image, text, 0.1, pair_weights=weights, soft_share=0.005)
    assert value != info_nce(image, text, 0.1, soft_share=0.005)


@pytest.mark.parametrize('kwargs', [dict(temperature=0), dict(same_person='x'),
                                    dict(min_temperature=-1.0), dict(soft_share=1.1),
                                    dict(soft_share=0.1, same_person='masked')])
def test_bad_options_are_refused(kwargs):
    with pytest.raises(ValueError):
        HardnessAwareContrastiveHead(**kwargs)
