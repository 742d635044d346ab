"""The contract of towers, for those of CLIP and SigLIP: slices, one token, attention, gradients."""

from collections.abc import Callable
from typing import NamedTuple

import clip_reference
import clip_towers
import pytest
import siglip_reference
import siglip_towers
import torch
import torch.nn.functional as F
from clip_reference import attend, linear

from mmtbps.models import Tower


def clip_products(hidden, state, layer):
    """Queries, keys and values of a layer, by the published names."""
    block = f'transformer.resblocks.{layer}'
    normed = clip_reference.norm(hidden, state, f'{block}.ln_1')
    return F.linear(normed, state[f'{block}.attn.in_proj_weight'],
                    state[f'{block}.attn.in_proj_bias']).chunk(3, -1)


def siglip_products(hidden, state, layer):
    block = f'siglip.encoder.layers.{layer}'
    normed = siglip_reference.norm(hidden, state, f'{block}.layer_norm1')
    return [linear(normed, state, f'{block}.self_attn.{part}_proj') for part in 'qkv']


def clip_alone(layer, hidden, place):
    """Let the attention of a layer read one token alone."""
    layer.attn._attend = lambda query, key, value, **_: layer.attn.out_proj(
        value[:, :, place:place + 1].expand_as(query).transpose(1, 2).flatten(2))


def siglip_alone(layer, hidden, place):
    attention = layer.self_attn
    values = attention.out_proj(attention.v_proj(layer.layer_norm1(hidden)))
    attention.forward = lambda *_, **__: (values[:, place:place + 1].expand_as(values), None)


def clip_norm(name):
    return lambda hidden, state: clip_reference.norm(hidden, state, name)


def siglip_norm(name):
    return lambda hidden, state: siglip_reference.norm(hidden, state, f'siglip.{name}')


class Case(NamedTuple):
    """A small tower with its inputs, and its published formulas."""

    tower: Tower
    inputs: tuple
    heads: int
    products: Callable
    token_features: Callable
    read_alone: Callable | None = None  # None: a head after the last layer reads all its tokens
    causal: bool = False


def clip_image():
    return Case(clip_towers.vision().double(), (clip_towers.random_images().double(),), 4,
                clip_products, clip_norm('ln_post'), clip_alone)


def clip_text():
    ids = clip_towers.caption_ids()
    return Case(clip_towers.text().double(), (ids, ids > 0), 3, clip_products,
                clip_norm('ln_final'), clip_alone, causal=True)


def siglip_image():
    return Case(siglip_towers.vision(img_size=(48, 16)).double(),
                (clip_towers.random_images().double(),), 3, siglip_products,
                siglip_norm('post_layernorm'))


def siglip_text():
    ids, last_norm = siglip_towers.caption_ids(), siglip_norm('final_layer_norm')
    return Case(siglip_towers.text().double(), (ids, ids != 1), 3, siglip_products,
                lambda hidden, state: linear(last_norm(hidden, state), state, 'siglip.head'),
                siglip_alone)


CASES = [clip_image, clip_text, siglip_image, siglip_text]


@pytest.fixture(params=CASES, ids=lambda build: build.__name__)
def case(request):
    """Each tower in double precision."""
    return request.param()


@torch.no_grad()
def test_slices_and_the_last_layer_of_one_token_equal_the_plain_run(case):
    tower = case.tower
    expected = tower.pool(tower.run(tower.embed(*case.inputs)))
    for cut in range(4):
        half = tower.run(tower.embed(*case.inputs), 0, cut)
        torch.testing.assert_close(tower.pool(tower.run(half, cut)), expected)
        read = tower.run(half, cut, read_only=True)
        torch.testing.assert_close(tower.pool(read), expected)
        one = case.read_alone is not None and cut < 3
        assert read.hidden.shape[1] == (1 if one else half.hidden.shape[1])
    torch.testing.assert_close(tower.token_features(tower.run(half, 3)),
                               case.token_features(half.hidden, tower.state_dict()))


def test_checkpointing_gives_the_same_gradients(case):
    tower, gradients = case.tower, []
    for with_cp in (False, True):
        tower.with_cp = with_cp
        tower.train().zero_grad()
        tower(*case.inputs).square().sum().backward()
        gradients.append([weight.grad.clone() for weight in tower.parameters()])
    assert all(gradient.abs().sum() > 0 for gradient in gradients[0])
    for plain, again in zip(*gradients, strict=True):
        torch.testing.assert_close(again, plain)


@torch.no_grad()
def test_attention_is_the_softmax_that_the_layers_apply(case):
    tower = case.tower
    for layer in range(3):
        tokens = tower.run(tower.embed(*case.inputs), 0, layer)
        weights = tower.attention(tokens, layer)
        assert weights.shape[1] == case.heads and weights.std() > 0.05
        query, key, value = case.products(tokens.hidden, tower.state_dict(), layer)
        read = weights @ value.unflatten(-1, (case.heads, -1)).transpose(1, 2)
        torch.testing.assert_close(read.transpose(1, 2).flatten(2),
                                   attend(query, key, value, case.heads, case.causal))
        if case.causal:
            assert weights.triu(1).abs().max() == 0


@torch.no_grad()
@pytest.mark.parametrize('case', [clip_image, clip_text, siglip_text], indirect=True)
def test_a_tokens_feature_is_that_of_attention_to_it_alone(case):
    """Against the whole last block with every weight of the attention on one token."""
    tower = case.tower
    tokens = tower.run(tower.embed(*case.inputs), 0, 2)
    features = tower.single_token_features(tokens)
    for place in range(features.shape[1]):
        case.read_alone(tower.layers[2], tokens.hidden, place)
        torch.testing.assert_close(features[:, place], tower.pool(tower.run(tokens, 2)))


@torch.no_grad()
def test_siglip_reads_the_last_place_of_a_caption():
    tower, inputs, *_ = siglip_text()
    tokens = tower.run(tower.embed(*inputs), 0, 2)
    assert tower.read_shares(tokens).argmax(1).tolist() == [15] * 4
