"""Models of shapes alone have the names and shapes of real ones; what is real has its values."""

import torch
from torch import nn

from mmtbps.models.converters.fit import without_values


def test_shapes_are_those_of_a_real_model(tiny_retriever):
    real = tiny_retriever().state_dict()
    with without_values():
        shapes = tiny_retriever().state_dict()
    assert all(value.is_meta for value in shapes.values())
    assert {name: (value.shape, value.dtype) for name, value in shapes.items()} == {
        name: (value.shape, value.dtype) for name, value in real.items()}


def test_values_are_drawn_for_all_that_has_memory():
    torch.manual_seed(0)
    expected = torch.empty(2, 3).normal_(), nn.init.uniform_(torch.empty(4)), nn.Linear(3, 2).weight
    torch.manual_seed(0)
    with without_values():
        drawn = [torch.empty(2, 3, device='cpu').normal_(),
                 nn.init.uniform_(torch.empty(4, device='cpu')),
                 nn.Linear(3, 2, device='cpu').weight]
        assert nn.Linear(3, 2).weight.is_meta
    assert all(map(torch.equal, drawn, expected))
    assert nn.init.zeros_(torch.ones(2)).tolist() == [0, 0]  # and afterwards all is as before
