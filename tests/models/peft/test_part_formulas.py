"""The functions of tuned parts on numbers, against loops."""

import pytest
import torch
from torch import nn

from mmtbps.models.backbones.linear_rows import linear_rows
from mmtbps.models.peft import (
    KeyValueLoRA,
    adapters_set_aside,
    is_adapter,
    merge_adapters,
    merge_rows,
)
from mmtbps.models.peft.prefix import KeyValuePrefix, attend_with_prefix

N, HEADS, P, S, D = 2, 2, 4, 3, 5


def draw(*shape):
    return torch.randn(*shape, dtype=torch.double)


def slowly(query, key, value, prefix_key, prefix_value, seen):
    """One reader at a time; ``seen[n][q]`` are the places that it may read."""
    output = torch.zeros(*query.shape[:3], D, dtype=torch.double)
    for n in range(N):
        for h in range(HEADS):
            for q in range(query.shape[2]):
                keys = [*prefix_key[h], *(key[n, h, p] for p in seen[n][q])]
                values = [*prefix_value[h], *(value[n, h, p] for p in seen[n][q])]
                shares = torch.stack([k @ query[n, h, q] for k in keys]).div(D**0.5).softmax(0)
                output[n, h, q] = sum(s * v for s, v in zip(shares, values, strict=True))
    return output


@pytest.mark.parametrize('kind', ['all', 'causal', 'bool', 'added', 'one reader'])
def test_a_prefix_is_read_whatever_the_mask(kind):
    torch.manual_seed(1)
    query, key, value = draw(N, HEADS, P, D), draw(N, HEADS, P, D), draw(N, HEADS, P, D)
    prefix = draw(HEADS, S, D), draw(HEADS, S, D)
    seen, options = [[range(P)] * P] * N, {}
    if kind == 'causal':
        seen, options = [[range(q + 1) for q in range(P)]] * N, dict(is_causal=True)
    elif kind in ('bool', 'added'):
        mask = torch.tensor([[True, False, True, True], [False, True, False, False]])
        seen = [[[p for p in range(P) if mask[n, p]]] * P for n in range(N)]
        mask = mask[:, None, None].expand(N, 1, P, P)
        options = dict(attn_mask=mask if kind == 'bool' else torch.zeros(mask.shape).double(
            ).masked_fill(~mask, float('-inf')))
    elif kind == 'one reader':
        query, seen = query[:, :, :1], [[range(P)]] * N
    found = attend_with_prefix(query, key, value, *prefix, **options)
    torch.testing.assert_close(found, slowly(query, key, value, *prefix, seen))


def test_the_factor_on_attention_is_one_on_values():
    """Published: the softmax over all columns, those of the prefix times the factor afterwards."""
    torch.manual_seed(2)
    part = KeyValuePrefix(HEADS * D, S).double()
    assert part.mass_scale.item() == 100 and part.key_tokens.min() >= 0
    assert 0.005 < part.value_tokens.max() < 0.01
    states = [draw(N, HEADS, P, D) for _ in range(3)]
    expected = torch.zeros(N, HEADS, P, D, dtype=torch.double)
    for h in range(HEADS):
        own = slice(h * D, (h + 1) * D)
        keys = torch.cat([states[1][:, h], part.key_tokens[:, own].expand(N, -1, -1)], 1)
        values = torch.cat([states[2][:, h], part.value_tokens[:, own].expand(N, -1, -1)], 1)
        shares = (states[0][:, h] @ keys.mT / D**0.5).softmax(-1)
        shares = torch.cat([shares[..., :P], 100 * shares[..., P:]], -1)
        expected[:, h] = shares @ values
    torch.testing.assert_close(part(*states), expected)


@pytest.mark.parametrize('outputs', [18, 6, 7])
def test_rows_of_an_adapted_layer_are_those_of_the_whole(outputs):
    torch.manual_seed(3)
    layer = KeyValueLoRA(nn.Linear(6, outputs, bias=outputs != 7).double(), rank=2).double()
    layer.kv_lora_up.data.normal_()
    layer.kv_lora_scale.data.normal_()
    states = draw(2, 3, 6)
    weight = layer.base_layer.weight.detach().clone()
    first = 6 if outputs == 18 else 0
    for part in range(len(layer.kv_lora_up)):
        for row in range(layer.kv_lora_up.shape[1]):
            for rank in range(2):
                weight[first + part * 6 + row] += (
                    layer.kv_lora_scale[part] * layer.kv_lora_up[part, row, rank]
                    * layer.kv_lora_down[part, rank]).detach()
    whole = nn.functional.linear(states, weight, layer.base_layer.bias)
    for rows in (slice(None), slice(0, 6), slice(6, None), slice(6, 12), slice(2, 13)):
        torch.testing.assert_close(linear_rows(layer, states, rows), whole[..., rows])
    torch.testing.assert_close(merge_rows(layer.base_layer.weight, layer.kv_lora_down,
                                          layer.kv_lora_up, layer.kv_lora_scale), weight)


def test_adapters_of_a_layer_that_is_elsewhere_stay():
    state = {f'fc.kv_lora_{name}': torch.ones(()) for name in ('down', 'up', 'scale')}
    assert merge_adapters(dict(state)) == []
    state['fc.weight'] = torch.zeros(1, 1)
    assert merge_adapters(state, kept={'fc.kv_lora_scale'}) == [] and len(state) == 4


def test_parts_come_back_after_an_error():
    module = nn.Sequential(KeyValueLoRA(nn.Linear(2, 2), rank=1))
    part = module[0]
    with pytest.raises(KeyError), adapters_set_aside(module):
        assert module[0] is part.base_layer
        raise KeyError
    assert module[0] is part


@pytest.mark.parametrize('name, known', [
    ('layers.0.attn.prefix.mass_scale', True), ('a.ln_1.adapter.down.bias', True),
    ('a.mlp.mixture.up_bias', True), ('a.in_proj_kv_lora_down', True), ('a.adapter.fc.bias', False),
    ('a.prefix.embedding.weight', False), ('adapter.scale', False), ('a.prefix.key_scales', False)])
def test_weights_of_parts_are_known_by_name(name, known):
    assert is_adapter(name) == known
