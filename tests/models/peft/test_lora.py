"""Low-rank adapters: the formula on every tower, names of weights, errors."""

import copy
import pickle
import sys

import pytest
import torch
from lora_towers import TOWERS, inputs_of, stir_, tower

from mmtbps.errors import BadValue, MissingPackage
from mmtbps.models import PooledBackbone
from mmtbps.models.peft import add_adapters, merge_adapters, tune_towers

families = pytest.mark.parametrize('family', TOWERS)
RANK, ALPHA = 3, 5


def adapted(family, **options):
    """The tower of a family with adapters that do nothing yet, and the same without."""
    plain = tower(family)
    other = copy.deepcopy(plain)
    add_adapters(dict(side=other), **{**dict(rank=RANK, alpha=ALPHA), **options})
    return other.double().eval(), plain


def outputs(model, inputs):
    """Everything that is asked of a tower."""
    with torch.no_grad():
        tokens = model.run(model.embed(*inputs))
        before = model.run(model.embed(*inputs), 0, model.depth - 1)
        return dict(feature=model(*inputs), whole=model.pool(tokens),
                    tokens=model.token_features(tokens), attention=model.attention(tokens),
                    alone=model.single_token_features(before))


def slowly_merged(state):
    """``W + alpha / rank * B A``, one row of A at a time, from the names of weights alone."""
    merged = {name: weight for name, weight in state.items() if 'lora_' not in name}
    for name in state:
        if name.endswith('lora_A.default.weight'):
            stem = name.removesuffix('lora_A.default.weight')
            down, up = state[name], state[f'{stem}lora_B.default.weight']
            for k in range(RANK):
                merged[f'{stem}weight'] = merged[f'{stem}weight'] + ALPHA / RANK * torch.outer(
                    up[:, k], down[k])
    return merged


@families
def test_features_are_those_of_a_tower_of_merged_weights(family):
    model, plain = adapted(family)
    before = outputs(plain, inputs_of(family))
    stir_(model)
    assert sum('lora_A' in name for name in model.state_dict()) == 2 * TOWERS[family][1]
    plain.load_state_dict(slowly_merged(model.state_dict()))
    found, expected = outputs(model, inputs_of(family)), outputs(plain, inputs_of(family))
    for name, value in expected.items():
        assert (value - before[name]).abs().max() > 0.01, f'{name}: the adapters do nothing'
        torch.testing.assert_close(found[name], value, atol=1e-10, rtol=1e-8, msg=name)


@families
def test_fresh_adapters_change_no_bit(family):
    model, plain = adapted(family)
    plain.requires_grad_(False)  # torch chooses kernels by it, even without gradients
    found, expected = outputs(model, inputs_of(family)), outputs(plain, inputs_of(family))
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@families
def test_every_adapter_and_nothing_else_is_trained(family):
    model, _ = adapted(family)
    stir_(model)(*inputs_of(family)).square().sum().backward()
    for name, weight in model.named_parameters():
        assert weight.requires_grad == ('.lora_' in name), name
        assert weight.grad is None or weight.grad.abs().max() > 0, name
    assert all(weight.grad is not None for weight in model.parameters() if weight.requires_grad)


@families
def test_merging_gives_the_weights_of_a_plain_tower(family):
    model, plain = adapted(family)
    expected = slowly_merged(stir_(model).state_dict())
    state = model.state_dict()
    merge_adapters(state)
    assert state.keys() == expected.keys() == plain.state_dict().keys()
    for name, weight in expected.items():
        torch.testing.assert_close(state[name], weight, atol=1e-7, rtol=1e-7, msg=name)


@pytest.mark.parametrize('family', ['vit', 'clip_text', 'bert'])
@pytest.mark.parametrize('duplicate', [copy.deepcopy, lambda model: pickle.loads(
    pickle.dumps(model))], ids=['copied', 'pickled'])
def test_names_are_those_of_a_plain_tower_also_in_a_copy(family, duplicate):
    model, plain = adapted(family)
    stir_(model)
    twin = duplicate(model)
    state = twin.state_dict()
    assert state.keys() == model.state_dict().keys()
    assert {name for name in state if 'lora_' not in name} == plain.state_dict().keys()
    twin.load_state_dict(plain.state_dict(), strict=False)
    stir_(twin, seed=3)
    assert all(torch.equal(model.state_dict()[name], state[name]) for name in state if
               'lora_' not in name)
    twin.load_state_dict(model.state_dict())
    assert torch.equal(twin(*inputs_of(family)), model(*inputs_of(family)))


def test_half_precision_is_merged_in_float32():
    weight, down, up = torch.full((1, 1), 256.), torch.ones(4, 1), torch.full((1, 4), 0.3)
    state = {'weight': weight, 'lora_A.default.weight': down, 'lora_B.default.weight': up,
             'lora_scaling': torch.tensor(2.)}
    state = {name: value.bfloat16() for name, value in state.items()}
    merge_adapters(state)
    assert state['weight'].dtype == torch.bfloat16 and state['weight'].item() == 258  # of 258.4


# ------------------------------------------------------------------ targets and errors
@pytest.mark.parametrize('family, targets, count', [
    ('vit', ('qkv', ), 2), ('vit', 'qkv', 2), ('vit', ('attn.qkv', 'ffn'), 6), ('vit', ('0', ), 2),
    ('bert', ('query', 'value'), 4), ('bert', ('output', ), 4), ('bert', ('attention.output', ), 2),
    ('clip_vision', ('in_proj', 'mlp'), 6), ('siglip_text', ('q_proj', 'fc1'), 4)])
def test_targets_are_whole_words_of_names(family, targets, count):
    model, _ = adapted(family, targets=targets)
    assert sum('lora_A' in name for name in model.state_dict()) == count


def add(options, **towers):
    add_adapters(towers or dict(image=tower('vit'), text=tower('bert')), **options)


@pytest.mark.parametrize('options, said', [
    (dict(targets=('qkv', 'kvq', 'query')),
     r"named 'kvq' in targets, nearest are \['qkv'\]: image has attn.qkv, attn.proj"),
    (dict(targets=('attention.quary', )), r"nearest are \['attention.*text has attention.self"),
    (dict(targets=('qk', 'query')), r"named 'qk' in targets.*nearest are \['qkv'\]"),
    (dict(targets=('qkv', )), 'nothing in text, BERTBackbone, is a target'),
    (dict(targets=()), 'nothing in image, OverlapViT, is a target'),
    (dict(rank=0), 'rank must be a whole number from 1, got 0'),
    (dict(rank=2.5), 'rank must be a whole number from 1, got 2.5'),
    (dict(rank=True), 'rank must be a whole number from 1, got True'),
    (dict(alpha=0), 'alpha must be a positive number, got 0'),
    (dict(alpha=float('inf')), 'alpha must be a positive number, got inf'),
    (dict(alpha='16'), "alpha must be a positive number, got '16'"),
    (dict(dropout='0.1'), "dropout must be at least 0 and less than 1, got '0.1'"),
    (dict(dropout=1), 'dropout must be at least 0 and less than 1, got 1')], ids=str)
def test_bad_settings_are_named(options, said):
    with pytest.raises(BadValue, match=f'lora: .*{said}'):
        add(options)


@pytest.mark.parametrize('settings, said', [
    (dict(lora=True), r'lora: takes settings, such as lora=dict\(rank=8, alpha=16\), got True'),
    (dict(lora=dict(r=4)), "lora: there is no setting 'r', but rank, alpha, dropout, targets"),
    (dict(peft=True), r'peft: takes parts by name, such as peft=dict\(prefix=.*got True'),
    (dict(peft=dict(prefix=10)), r'prefix takes settings, such as prefix=dict\(length=.*got 10'),
    (dict(peft=dict(kv_lora=None)), r'kv_lora takes settings, such as .*\(rank=.*got None')],
    ids=str)
def test_settings_that_are_none_are_named(settings, said):
    with pytest.raises(BadValue, match=said):
        tune_towers(dict(image=tower('vit')), **settings)


def test_a_tower_without_layers_is_refused():
    image = PooledBackbone(torch.nn.Conv2d(3, 4, 1), out_dims=4)
    with pytest.raises(BadValue, match='nothing in image, PooledBackbone.*image has none'):
        add({}, image=image, text=tower('bert'))


def test_torchs_own_attention_is_left_alone():
    """It reads the weight of its last layer without calling it: an adapter would do nothing."""
    class Torchs(PooledBackbone):
        layers = torch.nn.ModuleList([torch.nn.TransformerEncoderLayer(4, 2, 8)])

    model = Torchs(torch.nn.Identity(), out_dims=4)
    model.stack = Torchs.layers
    with pytest.raises(BadValue, match='image has linear1, linear2'):
        add({}, image=model)


def test_without_peft_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, 'peft', None)
    with pytest.raises(MissingPackage, match=r'needs peft \(.*\): pip install -U '
                                             r'"mmtbps\[lora\]"'):
        add({})


def test_another_alpha_is_not_mistaken_for_this_one():
    model, _ = adapted('clip_text')
    other, _ = adapted('clip_text', alpha=2 * ALPHA)
    with pytest.raises(BadValue, match=r'in_proj\S* was trained with alpha / rank = 1.66667; this '
                                       'model has 3.33333'):
        other.load_state_dict(model.state_dict())
