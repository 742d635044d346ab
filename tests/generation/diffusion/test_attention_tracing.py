"""Finding the layers to be controlled, and the mask that their maps make."""

import itertools

import pytest
import torch

from mmtbps.generation.diffusion.attention import blend_mask, trace_attention


@pytest.mark.parametrize('size', [(3, 5), (9, 4), (12, 10)])
def test_the_mask_equals_the_slow_way(size):
    heat = torch.rand(2, 3, 6, 5)
    threshold = torch.tensor([.2, .8, .95])
    mask = blend_mask(heat, size, threshold)
    for e in range(3):
        hot = torch.zeros(size, dtype=torch.bool)
        for side in range(2):
            grown = torch.tensor([[heat[side, e, max(y - 1, 0):y + 2, max(x - 1, 0):x + 2].max()
                                   for x in range(5)] for y in range(6)])
            rows = [y * 6 // size[0] for y in range(size[0])]
            columns = [x * 5 // size[1] for x in range(size[1])]
            grown = grown[rows][:, columns]
            hot |= grown > threshold[e] * grown.max()
        assert torch.equal(mask[e, 0], hot)


@pytest.mark.parametrize('size', [(8, 4), (13, 7), (10, 16)])
def test_tracing_knows_the_size_of_every_layer(tiny_parts, size):
    layers = trace_attention(tiny_parts['unet'], torch.zeros(1, 4, *size),
                             torch.zeros(1, 24, 16))
    half = (size[0] + 1) // 2, (size[1] + 1) // 2
    assert {layer.size for layer in layers.values()} == {size, half}
    assert {layer.size for layer in layers.values() if layer.middle} == {half}


def test_a_unet_that_cannot_be_controlled_is_refused(tiny_parts, monkeypatch):
    unet, inputs = tiny_parts['unet'], (torch.zeros(1, 4, 8, 4), torch.zeros(1, 24, 16))
    block = unet.down_blocks[0].attentions[0].transformer_blocks[0]
    monkeypatch.setattr(block.attn2, 'forward', lambda hidden, **_: hidden)
    with pytest.raises(RuntimeError, match='not reached.*down_blocks.0.*attn2'):
        trace_attention(unet, *inputs)
    monkeypatch.setattr(type(unet), 'attn_processors', {})
    monkeypatch.setattr(type(unet), 'set_attn_processor', lambda self, processors: None)
    with pytest.raises(RuntimeError, match='0 layers in transformer blocks'):
        trace_attention(unet, *inputs)


def test_a_coarse_mask_is_interpolated_and_does_not_count_what_every_cell_has():
    heat = torch.rand(2, 3, 3, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    threshold = torch.tensor([.3, .5, .8])
    mask = blend_mask(heat + 7, (9, 6), threshold, coarse=True)
    expected = torch.zeros(3, 1, 9, 6, dtype=torch.bool)
    for side, edit in itertools.product(range(2), range(3)):
        cells = heat[side, edit] - heat[side, edit].min()
        image = torch.zeros(9, 6, dtype=torch.float64)
        for y, x in itertools.product(range(9), range(6)):
            row, column = (min(max((i + .5) / 3 - .5, 0), n - 1) for i, n in ((y, 3), (x, 2)))
            for i, j in itertools.product(range(3), range(2)):
                weight = max(0, 1 - abs(row - i)) * max(0, 1 - abs(column - j))
                image[y, x] += weight * cells[i, j]
        expected[edit, 0] |= image > threshold[edit] * image.max()
    assert torch.equal(mask, expected) and 0 < mask.float().mean() < 1
