"""The base class of towers, by a small tower whose pooled token is the last of the caption."""

import pytest
import torch
from torch import nn

from mmtbps.engine.compile_hook import find_layers
from mmtbps.models import Tokens, Tower


class EndTokenTower(Tower):
    """Reads the end token of each caption, as CLIP does."""

    out_dims = 8

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(50, 8)
        self.layers = nn.ModuleList(nn.Linear(8, 8) for _ in range(2))

    def embed(self, input_ids, mask):
        return Tokens(self.words(input_ids), mask, read=mask.sum(1) - 1)

    def pool(self, tokens):
        return tokens.token_read()


@torch.no_grad()
def test_exported_graph_of_an_end_token_takes_any_batch():
    tower = EndTokenTower().eval()
    ids, sizes = torch.ones(2, 5, dtype=torch.int64), {0: torch.export.Dim('batch'),
                                                       1: torch.export.Dim('length')}
    program = torch.export.export(tower, (ids, ids.bool()), dynamic_shapes=((sizes, sizes),),
                                  strict=False)
    ids = torch.arange(28).view(4, 7)
    mask = torch.arange(7) < torch.tensor([7, 3, 5, 1])[:, None]
    features = tower(ids, mask)
    torch.testing.assert_close(program.module()(ids, mask), features)
    torch.testing.assert_close(features[1], tower(ids[1:2, :3], mask[1:2, :3])[0])


class Wrapper(Tower):
    """A tower around another, whose layers are its own."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    @property
    def layers(self):
        return self.inner.layers

    def embed(self, *inputs):
        return self.inner.embed(*inputs)

    def pool(self, tokens):
        return self.inner.pool(tokens)


def test_layers_of_a_tower_in_a_tower_are_found_once():
    tower = Wrapper(EndTokenTower())
    assert find_layers(tower) == list(tower.inner.layers)


@pytest.mark.parametrize('layer', [2, -3])
def test_a_layer_that_is_not_there_has_no_attention(layer):
    tokens = Tokens(torch.zeros(1, 3, 8))
    with pytest.raises(ValueError, match=f'EndTokenTower has 2 layers, got layer {layer}'):
        EndTokenTower().attention(tokens, layer)
