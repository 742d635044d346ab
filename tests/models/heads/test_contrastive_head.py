"""The head: temperature, same-person pairs, projection."""

import math

import pytest
import torch
from mmengine.structures import BaseDataElement

from mmtbps.models import HardnessAwareContrastiveHead
from mmtbps.models.losses import info_nce


def people(*ids):
    return [BaseDataElement(metainfo=dict(person_id=i)) for i in ids]


def test_default_is_the_papers_loss():
    torch.manual_seed(0)
    image, text = torch.randn(3, 4), torch.randn(3, 4)
    loss = HardnessAwareContrastiveHead().loss(image, text, people(0, 1, 2))
    assert list(loss) == ['loss_contrastive']
    assert loss['loss_contrastive'] == info_nce(image, text, 0.005)


@pytest.mark.parametrize('same_person', ['masked', 'positive'])
def test_person_ids_come_from_the_samples(same_person):
    torch.manual_seed(0)
    image, text = torch.randn(3, 4), torch.randn(3, 4)
    head = HardnessAwareContrastiveHead(temperature=0.1, same_person=same_person)
    value = head.loss(image, text, people(5, 5, 9))['loss_contrastive']
    assert value == info_nce(image, text, 0.1, torch.tensor([5, 5, 9]), same_person)
    assert value != info_nce(image, text, 0.1)


def test_learnable_temperature_has_a_floor_it_can_leave():
    head = HardnessAwareContrastiveHead(temperature=0.02, learnable=True, min_temperature=0.01)
    image, text = torch.eye(3)[:, [1, 2, 0]], torch.eye(3)  # all wrong: wants a higher one
    with torch.no_grad():
        head.log_temperature.fill_(math.log(1e-5))
    loss = head.loss(image, text, people(0, 1, 2))
    assert loss['temperature'].item() == pytest.approx(0.01)
    loss['loss_contrastive'].backward()
    assert head.log_temperature.grad < 0  # gradient descent raises it again


def test_fixed_temperature_is_no_parameter():
    assert not list(HardnessAwareContrastiveHead().parameters())


def test_projection_brings_towers_of_different_width_together():
    torch.manual_seed(0)
    head = HardnessAwareContrastiveHead(projection_dims=2, image_dims=4, text_dims=3)
    image, text = torch.randn(2, 4), torch.randn(2, 3)
    expected = info_nce(image @ head.image_projection.weight.T,
                        text @ head.text_projection.weight.T, 0.005)
    torch.testing.assert_close(head.loss(image, text, people(0, 1))['loss_contrastive'], expected)


@pytest.mark.parametrize('kwargs', [dict(temperature=0), dict(same_person='x'),
                                    dict(projection_dims=4), dict(min_temperature=-1.0)])
def test_bad_options_are_refused(kwargs):
    with pytest.raises(ValueError):
        HardnessAwareContrastiveHead(**kwargs)
