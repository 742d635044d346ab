"""CLIP's towers piece by piece: slices, one token, attention, checkpointing."""

import pytest
import torch
import torch.nn.functional as F
from clip_reference import attention, norm
from clip_towers import caption_ids, random_images, text, vision

from mmtbps.models import CLIPTextTower


@pytest.fixture
def towers():
    """Both towers in double precision, each with its inputs."""
    ids = caption_ids()
    return [(vision().double(), (random_images().double(),)),
            (text().double(), (ids, ids > 0))]


@torch.no_grad()
def test_slices_and_the_last_layer_of_one_token_equal_the_plain_run(towers):
    for tower, inputs in towers:
        expected = tower.pool(tower.run(tower.embed(*inputs)))
        for cut in range(4):
            half = tower.run(tower.embed(*inputs), 0, cut)
            torch.testing.assert_close(tower.pool(tower.run(half, cut)), expected)
            token = tower.run(half, cut, read_only=True)
            assert token.hidden.shape[1] == (1 if cut < 3 else half.hidden.shape[1])
            torch.testing.assert_close(tower.pool(token), expected)
        torch.testing.assert_close(tower.token_features(tower.run(half, 3)),
                                   tower.final_norm(half.hidden))


def test_checkpointing_gives_the_same_gradients(towers):
    for tower, inputs in towers:
        gradients = []
        for with_cp in (False, True):
            tower.with_cp = with_cp
            tower.train().zero_grad()
            tower(*inputs).square().sum().backward()
            gradients.append([weight.grad.clone() for weight in tower.parameters()])
        assert all(gradient.abs().sum() > 0 for gradient in gradients[0])
        for plain, again in zip(*gradients, strict=True):
            torch.testing.assert_close(again, plain)


@torch.no_grad()
def test_attention_is_the_softmax_that_the_layers_apply(towers):
    for tower, inputs in towers:
        state, causal = tower.state_dict(), isinstance(tower, CLIPTextTower)
        for layer in range(3):
            tokens = tower.run(tower.embed(*inputs), 0, layer)
            weights = tower.attention(tokens, layer)
            block = f'transformer.resblocks.{layer}'
            normed = norm(tokens.hidden, state, f'{block}.ln_1')
            heads = weights.shape[1]
            value = F.linear(normed, state[f'{block}.attn.in_proj_weight'],
                             state[f'{block}.attn.in_proj_bias']).chunk(3, -1)[2]
            value = value.unflatten(-1, (heads, -1)).transpose(1, 2)
            read = (weights @ value).transpose(1, 2).flatten(2)
            read = F.linear(read, state[f'{block}.attn.out_proj.weight'],
                            state[f'{block}.attn.out_proj.bias'])
            torch.testing.assert_close(read, attention(normed, state, f'{block}.attn', heads,
                                                       causal))
            assert weights.std() > 0.05
            if causal:
                assert weights.triu(1).abs().max() == 0


@torch.no_grad()
def test_a_tokens_feature_is_that_of_attention_to_it_alone(towers):
    """Against the whole last block with every weight of the attention on one token."""
    for tower, inputs in towers:
        tokens = tower.run(tower.embed(*inputs), 0, 2)
        features = tower.single_token_features(tokens)
        attn = tower.layers[2].attn
        for place in range(features.shape[1]):
            attn._attend = lambda query, key, value, place=place, attn=attn, **_: attn.out_proj(
                value[:, :, place:place + 1].expand_as(query).transpose(1, 2).flatten(2))
            torch.testing.assert_close(features[:, place], tower.pool(tower.run(tokens, 2)))
