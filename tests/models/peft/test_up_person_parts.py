"""Prefixes, low-rank keys and values, adapters: UP-Person's forward, slowly; merging; errors."""

import copy
import pickle

import pytest
import torch
import up_person_reference as reference
from lora_towers import inputs_of, tower
from peft_towers import PARTS, TAKEN, UP_PERSON, is_own, stir_parts_, tuned

from mmtbps.errors import BadValue
from mmtbps.models import CLIPTextTower, PooledBackbone
from mmtbps.models.backbones import FusionBERT, SwinTower
from mmtbps.models.peft import add_parts, is_adapter, kept_parts, merge_adapters, tune_towers

takers = pytest.mark.parametrize('family, part', [
    (family, part) for family, parts in TAKEN.items() for part in parts])
families = pytest.mark.parametrize('family', TAKEN)


def outputs(model, inputs):
    """Everything that is asked of a tower."""
    with torch.no_grad():
        tokens = model.run(model.embed(*inputs))
        before = model.run(model.embed(*inputs), 0, model.depth - 1)
        return dict(feature=model(*inputs), whole=model.pool(tokens),
                    tokens=model.token_features(tokens), attention=model.attention(tokens),
                    alone=model.single_token_features(before))


def extras_of(state, depth=2):
    """The extras of each block by our names."""
    def adapter(name):
        return tuple(state[f'{name}.adapter.{part}'] for part in (
            'down.weight', 'down.bias', 'up.weight', 'up.bias', 'scale'))

    blocks = []
    for i in range(depth):
        name = f'transformer.resblocks.{i}'
        prefix = {part: state[f'{name}.attn.prefix.{part}'] for part in (
            'key_tokens', 'value_tokens', 'key_scale', 'value_scale', 'mass_scale')}
        down, up, scale = (state[f'{name}.attn.in_proj_kv_lora_{part}']
                           for part in ('down', 'up', 'scale'))
        blocks.append(dict(
            prefix_key=prefix['key_tokens'] * prefix['key_scale'],
            prefix_value=prefix['value_tokens'] * prefix['value_scale'],
            mass=prefix['mass_scale'],
            key_added=scale[0] * up[0] @ down[0], value_added=scale[1] * up[1] @ down[1],
            adapters=(adapter(f'{name}.ln_1'), adapter(f'{name}.ln_2'))))
    return blocks


@pytest.mark.parametrize('family', ['clip_vision', 'clip_text'])
@torch.no_grad()
def test_the_forward_is_that_of_the_method(family):
    model, plain = tuned(family, *UP_PERSON)
    state, inputs = model.state_dict(), inputs_of(family)
    if family == 'clip_vision':
        def compute(blocks):
            return reference.image_feature(*inputs, state, 6, 3, blocks)
    else:
        def compute(blocks):
            return reference.text_feature(inputs[0], state, 2, blocks)
    expected, found = compute(extras_of(state)), model(*inputs)
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=1e-9)
    assert (found - plain(*inputs)).abs().max() > 0.05
    for part, value in reference.EMPTY.items():  # each extra matters
        less = [dict(block, **{part: value}) for block in extras_of(state)]
        if part in ('prefix_key', 'prefix_value'):
            less = [dict(block, prefix_key=None, prefix_value=None) for block in less]
        assert (compute(less) - expected).abs().max() > 1e-3, part


@takers
def test_every_question_to_a_tower_sees_the_part(family, part):
    """The shortcut of the last layer gives what the whole layers give; the feature changes."""
    model, plain = tuned(family, part)
    inputs = inputs_of(family)
    found, before = outputs(model, inputs), outputs(plain, inputs)
    torch.testing.assert_close(found['feature'], found['whole'], atol=1e-10, rtol=1e-9)
    for name in ('feature', 'tokens', 'alone'):
        assert (found[name] - before[name]).abs().max() > 1e-3, name
    sums = found['attention'].sum(-1)
    torch.testing.assert_close(sums, torch.ones_like(sums))


@takers
def test_fresh_parts_add_nothing_but_a_prefix(family, part):
    model, plain = tuned(family, part, stir=False)
    inputs = inputs_of(family)
    found, expected = outputs(model, inputs), outputs(plain, inputs)
    for name in expected:
        same = torch.allclose(found[name], expected[name], atol=1e-12, rtol=0)
        assert same == (part != 'prefix'), name


@takers
def test_the_part_and_nothing_else_is_trained(family, part):
    model, _ = tuned(family, part)
    model.train()(*inputs_of(family)).square().sum().backward()
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert trained == {name for name, _ in model.named_parameters() if is_own(name)} != set()
    for name, weight in model.named_parameters():
        assert (weight.grad is not None and weight.grad.abs().max() > 0) == (name in trained), name


@takers
def test_names_are_those_of_a_plain_tower_and_of_the_part(family, part):
    model, plain = tuned(family, part)
    names = model.state_dict().keys()
    assert {name for name in names if not is_adapter(name)} == plain.state_dict().keys()
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert twin.state_dict().keys() == names
        stir_parts_(twin, seed=9)
        twin.load_state_dict(plain.state_dict(), strict=False)
        twin.load_state_dict(model.state_dict())
        assert torch.equal(twin(*inputs_of(family)), model(*inputs_of(family)))


@families
def test_low_rank_keys_and_values_merge(family):
    model, plain = tuned(family, 'kv_lora')
    state = model.state_dict()
    gone = merge_adapters(state)
    assert len(gone) == len(model.state_dict()) - len(state) > 0 and kept_parts(model) == []
    plain.load_state_dict(state)
    found, expected = outputs(plain, inputs_of(family)), outputs(model, inputs_of(family))
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, atol=1e-10, rtol=1e-9, msg=name)


@families
@pytest.mark.parametrize('by', ['lora', 'peft'])
def test_what_is_trained_is_as_deep_as_its_layer(family, by):
    """For a learning rate that decays from layer to layer."""
    side = tower(family)
    tune_towers(dict(side=side), **{by: dict(rank=2) if by == 'lora' else {
        part: PARTS[part] for part in TAKEN[family]}})
    names = {weight: name for name, weight in side.named_parameters()}
    for number, layer in enumerate(side.layers):
        trained = [names[weight] for weight in layer.parameters() if weight.requires_grad]
        assert len(trained) > 2
        assert {side.get_layer_depth(f'x.{name}', 'x.') for name in trained} == {
            (number + 1, side.depth + 2)}


def test_queries_are_left_alone():
    model, plain = tuned('clip_text', 'kv_lora')
    state = model.state_dict()
    merge_adapters(state)
    name = 'transformer.resblocks.1.attn.in_proj_weight'
    same = (state[name] == plain.state_dict()[name]).all(1)
    assert same[:20].all() and not same[20:].any()


def test_what_cannot_be_merged_stays():
    model, _ = tuned('clip_text', *UP_PERSON)
    state = model.state_dict()
    merge_adapters(state)
    kept = {name for name in model.state_dict() if '.prefix.' in name or '.adapter.' in name}
    assert {name for name in state if is_adapter(name)} == kept != set()
    assert kept_parts(model) == ['prefixes of keys and values', 'adapters beside norms']


def test_captions_of_any_length_have_the_same_feature():
    model, _ = tuned('clip_text', *UP_PERSON)
    ids, mask = inputs_of('clip_text')
    torch.testing.assert_close(model(ids, mask)[1], model(ids[1:2, :5], mask[1:2, :5])[0])


@pytest.mark.parametrize('family', ['vit', 'clip_vision', 'clip_text'])
def test_a_token_alone_is_read_beside_the_prefix(family):
    """As the last layer would compute it on that token and the one that reads, which is masked."""
    model, _ = tuned(family, 'prefix')
    tokens = model.run(model.embed(*inputs_of(family)), 0, 1)
    block, hidden = model.layers[1], tokens.hidden
    found = model.single_token_features(tokens)
    attention, norm = block.attn, block.ln_1 if hasattr(block, 'ln_1') else block.ln1
    width, heads = hidden.shape[-1], 3 if family == 'clip_vision' else 2
    layer = attention.in_proj if hasattr(attention, 'in_proj') else attention.qkv
    query, key, value = layer(norm(hidden)).chunk(3, -1)
    prefix = attention.scaled_dot_product_attention
    for n, j in ((0, 0), (1, 3), (2, 4)):
        place = 0 if tokens.read is None else int(tokens.read[n])
        read = torch.zeros(width, dtype=torch.double)
        for head in range(heads):
            own = slice(head * width // heads, (head + 1) * width // heads)
            keys = torch.stack([key[n, j], *(prefix.key_scale * prefix.key_tokens)])[:, own]
            values = torch.stack([value[n, j], *(
                prefix.mass_scale * prefix.value_scale * prefix.value_tokens)])[:, own]
            shares = (keys @ query[n, place, own] / keys.shape[-1]**0.5).softmax(0)
            read[own] = shares @ values
        out = attention.out_proj if hasattr(attention, 'out_proj') else attention.proj
        state = hidden[n, place] + out(read)
        state = (state + block.mlp(block.ln_2(state)) if hasattr(block, 'mlp')
                 else block.ffn(block.ln2(state[None]), identity=state[None])[0])
        expected = (model.final_norm if hasattr(block, 'mlp') else model.ln1)(state)
        torch.testing.assert_close(found[n, j], expected)


# ------------------------------------------------------------------ errors
@families
def test_a_tower_that_cannot_take_a_part_is_refused_by_name(family):
    for part in PARTS.keys() - set(TAKEN[family]):
        with pytest.raises(BadValue, match=rf'peft: side, \w+, cannot take {part} \(.+\); it '
                                           r'takes kv_lora'):
            tuned(family, part)


@pytest.mark.parametrize('parts, said', [
    (dict(), 'no part is named; there are prefix, kv_lora, adapter, mixture'),
    (dict(lora={}), "there is no part 'lora', but prefix, kv_lora"),
    (dict(prefix=dict(tokens=3)), "prefix has no setting 'tokens', but length"),
    (dict(prefix=dict(length=0)), 'prefix: length must be a whole number from 1, got 0'),
    (dict(kv_lora=dict(rank=1.5)), r'kv_lora: rank must be a whole number from 1, got 1\.5'),
    (dict(adapter=dict(reduction=9)), 'adapter: reduction=9 leaves nothing of a width of 8'),
    (dict(mixture=dict(experts=2, chosen=3)), 'mixture: chosen=3 of 2 experts'),
    (dict(mixture=dict(balance=-1)), 'mixture: balance must be a number from 0, got -1'),
    (dict(mixture=dict(balance=float('inf'))), 'balance must be a number from 0, got inf')],
    ids=str)
def test_bad_settings_are_named(parts, said):
    with pytest.raises(BadValue, match=f'peft: .*{said}'):
        add_parts(dict(text=CLIPTextTower(width=8, depth=1, vocab_size=10)), **parts)


def test_a_tower_without_layers_is_refused():
    image = PooledBackbone(torch.nn.Conv2d(3, 4, 1), out_dims=4)
    with pytest.raises(BadValue, match='image, PooledBackbone, cannot take adapter.*takes none'):
        add_parts(dict(image=image, text=tower('clip_text')), adapter={})


@pytest.mark.parametrize('kind', [SwinTower, FusionBERT])
def test_towers_of_cross_encoders_take_low_rank_adapters_alone(kind):
    settings = kind.tiny_settings(dict(type=kind))
    settings.pop('type')
    for part in PARTS:
        with pytest.raises(BadValue, match=f'side, {kind.__name__}, cannot take {part} .*none$'):
            add_parts(dict(side=kind(**settings)), **{part: PARTS[part]})
    model = kind(**settings)
    tune_towers(dict(side=model), dict(rank=2))
    assert {name for name, weight in model.named_parameters() if weight.requires_grad} == {
        name for name, _ in model.named_parameters() if '.lora_' in name} != set()


def test_lora_and_parts_go_together_unless_they_change_one_layer():
    model = tower('clip_text')
    tune_towers(dict(text=model), dict(rank=2, targets=('mlp', )),
                {part: PARTS[part] for part in PARTS})
    names = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert names == {name for name, _ in model.named_parameters()
                     if '.lora_' in name or is_own(name)}
    assert len([name for name in names if '.lora_' in name]) == 8
    with pytest.raises(BadValue, match=r'kv_lora and lora both change attn\.in_proj; name other'):
        tune_towers(dict(text=tower('clip_text')), dict(rank=2), dict(kv_lora={}))
