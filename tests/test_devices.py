"""Devices that are not there, by their name and in one line."""

import pytest
import torch

from mmtbps.devices import move_to_device, usable_device
from mmtbps.errors import UserError


@pytest.mark.parametrize('device', ['gpu', 'cuda:99', 'cpu:x'])
def test_a_device_that_torch_cannot_use_is_named(device):
    with pytest.raises(UserError, match=f"^device '{device}' cannot be used: ") as refused:
        move_to_device(torch.nn.Linear(1, 1), device)
    assert '\n' not in str(refused.value)


def test_other_errors_of_a_block_are_left_alone():
    with pytest.raises(KeyError), usable_device('cpu'):
        raise KeyError('x')


def test_a_network_goes_where_it_is_sent():
    network = torch.nn.Linear(1, 1)
    move_to_device(network, 'meta')
    assert network.weight.is_meta
