"""OverlapViT: the grid, the halves, the position embedding."""

import numpy as np
import pytest
import torch
from mmpretrain.models.backbones import VisionTransformer
from tiny_models import TINY_VIT

from mmtbps.models.backbones.vit import OverlapViT


def slow_bilinear(grid, rows, columns):
    """Bilinear resize with half-pixel centres, one output number at a time."""
    height, width, dims = grid.shape
    out = np.zeros((rows, columns, dims))
    for r in range(rows):
        y = min(max((r + 0.5) * height / rows - 0.5, 0), height - 1)
        for c in range(columns):
            x = min(max((c + 0.5) * width / columns - 0.5, 0), width - 1)
            y0, x0 = int(y), int(x)
            y1, x1 = min(y0 + 1, height - 1), min(x0 + 1, width - 1)
            dy, dx = y - y0, x - x0
            out[r, c] = ((1 - dy) * (1 - dx) * grid[y0, x0] + (1 - dy) * dx * grid[y0, x1] +
                         dy * (1 - dx) * grid[y1, x0] + dy * dx * grid[y1, x1])
    return out


def test_the_papers_grid():
    vit = OverlapViT(dict(TINY_VIT, num_layers=1))
    assert vit.patch_resolution == (31, 10)
    assert vit.pos_embed.shape == (1, 311, 16)
    assert vit.embed(torch.zeros(1, 3, 384, 128)).hidden.shape == (1, 311, 16)


@pytest.mark.parametrize('source, given', [((24, 24), None), ((14, 14), None), ((12, 4), (12, 4))])
def test_position_embedding_is_resized_from_any_grid(source, given):
    torch.manual_seed(0)
    vit = OverlapViT(dict(TINY_VIT, num_layers=1), source_grid=given)
    state = vit.state_dict()
    old = torch.randn(1, source[0] * source[1] + 1, 16)
    vit.load_state_dict({**state, 'pos_embed': old})
    expected = slow_bilinear(old[0, 1:].view(*source, 16).double().numpy(), 31, 10)
    torch.testing.assert_close(vit.pos_embed[0, 0], old[0, 0])
    torch.testing.assert_close(vit.pos_embed[0, 1:].detach().double(),
                               torch.from_numpy(expected).reshape(310, 16), atol=1e-5, rtol=1e-5)


def test_interpolation_mode_is_selectable():
    modes = {}
    for mode in ('bilinear', 'bicubic'):
        torch.manual_seed(0)
        vit = OverlapViT(dict(TINY_VIT, num_layers=1), interpolate_mode=mode)
        vit.load_state_dict({**vit.state_dict(), 'pos_embed': torch.randn(1, 577, 16)})
        modes[mode] = vit.pos_embed
    assert (modes['bilinear'] - modes['bicubic']).abs().max() > 0.1


def test_an_odd_grid_asks_for_its_shape():
    vit = OverlapViT(dict(TINY_VIT, num_layers=1))
    with pytest.raises(ValueError, match='source_grid'):
        vit.load_state_dict({**vit.state_dict(), 'pos_embed': torch.randn(1, 12 * 4 + 1, 16)})


def test_own_checkpoint_is_left_alone():
    vit = OverlapViT(TINY_VIT, img_size=(32, 16), patch_size=8, stride=6, source_grid=(7, 7))
    with torch.no_grad():
        vit.pos_embed.normal_()
    other = OverlapViT(TINY_VIT, img_size=(32, 16), patch_size=8, stride=6, source_grid=(7, 7))
    other.load_state_dict(vit.state_dict())
    assert torch.equal(vit.pos_embed, other.pos_embed)


@pytest.mark.parametrize('layer', [0, 1, 2])
def test_the_two_halves_equal_mmpretrains_forward(layer):
    torch.manual_seed(0)
    options = dict(arch=TINY_VIT, img_size=(32, 16), patch_size=8)
    vit = OverlapViT(stride=6, **options)
    vit.init_weights()
    whole = VisionTransformer(patch_cfg=dict(stride=6, padding=0), **options)
    whole.load_state_dict(vit.state_dict())
    assert vit.eval() is vit and not vit.training
    whole.eval()
    vit.double(), whole.double()
    images = torch.randn(2, 3, 32, 16).double()
    half = vit.run(vit.embed(images), 0, layer)
    halves = vit.pool(vit.run(half, layer))
    one_token = vit.run(half, layer, read_only=True)
    assert one_token.hidden.shape[1] == (1 if layer < 2 else 11)
    torch.testing.assert_close(vit.pool(one_token), halves, atol=1e-13, rtol=1e-13)
    torch.testing.assert_close(halves, whole(images)[0], atol=1e-13, rtol=1e-13)
    torch.testing.assert_close(vit(images), whole(images)[0], atol=1e-13, rtol=1e-13)


def tiny_vit():
    torch.manual_seed(0)
    vit = OverlapViT(TINY_VIT, img_size=(32, 16), patch_size=8, stride=6).eval()
    vit.init_weights()
    for block in vit.layers:  # scores far from each other, so that attention is not uniform
        torch.nn.init.normal_(block.attn.qkv.weight)
    return vit, torch.randn(2, 3, 32, 16)


@torch.no_grad()
def test_attentions_are_the_softmax_that_the_blocks_apply():
    vit, images = tiny_vit()
    maps = [vit.attention(vit.embed(images), layer) for layer in (0, 1)]
    assert [tuple(weights.shape) for weights in maps] == [(2, 2, 11, 11)] * 2
    for layer, (weights, block) in enumerate(zip(maps, vit.layers, strict=True)):
        torch.testing.assert_close(weights.sum(-1), torch.ones(2, 2, 11))
        x = block.ln1(vit.run(vit.embed(images), 0, layer).hidden)
        query, key, value = (x @ part.T + bias for part, bias in zip(
            block.attn.qkv.weight.chunk(3), block.attn.qkv.bias.chunk(3), strict=True))
        heads = []
        for head in range(2):
            own = slice(8 * head, 8 * head + 8)
            scores = query[..., own] @ key[..., own].mT / 8 ** 0.5
            by_hand = scores.exp() / scores.exp().sum(-1, keepdim=True)
            torch.testing.assert_close(weights[:, head], by_hand)
            heads.append(weights[:, head] @ value[..., own])
        torch.testing.assert_close(block.attn.proj(torch.cat(heads, -1)), block.attn(x))
    assert maps[0].std() > 0.1


@torch.no_grad()
def test_tokens_of_the_last_layer_remember_what_it_read():
    vit, images = tiny_vit()
    tokens = vit.run(vit.embed(images))
    expected = vit.attention(vit.embed(images), 1)
    assert torch.equal(vit.attention(tokens), expected)
    assert torch.equal(vit.attention(vit.run(vit.embed(images), 0, 1), -1), expected)
    with pytest.raises(ValueError, match='beyond layer 0'):
        vit.attention(tokens, 0)
    with pytest.raises(ValueError, match='cannot go on with layer 0'):
        vit.run(tokens, 0, 1)


@torch.no_grad()
def test_token_features_pass_the_final_norm():
    vit, images = tiny_vit()
    torch.nn.init.normal_(vit.ln1.weight)
    tokens = vit.run(vit.embed(images))
    features = vit.token_features(tokens)
    torch.testing.assert_close(features[:, 0], vit.pool(tokens))
    mean = tokens.hidden.mean(-1, keepdim=True)
    spread = (tokens.hidden.var(-1, unbiased=False, keepdim=True) + vit.ln1.eps).sqrt()
    torch.testing.assert_close(features, (tokens.hidden - mean) / spread * vit.ln1.weight
                               + vit.ln1.bias)


@torch.no_grad()
def test_a_tokens_feature_is_that_of_attention_to_it_alone():
    """Against the whole last block with every weight of the attention on one token."""
    vit, images = tiny_vit()
    torch.nn.init.normal_(vit.ln1.weight)
    tokens = vit.run(vit.embed(images), 0, 1)
    features = vit.single_token_features(tokens)
    assert vit.depth == 2 and features.shape == tokens.hidden.shape
    for token in range(11):
        vit.layers[1].attn.scaled_dot_product_attention = (
            lambda query, key, value, dropout_p, token=token:
            value[:, :, token:token + 1].expand_as(query))
        torch.testing.assert_close(features[:, token], vit.pool(vit.run(tokens, 1)))
