"""BERTBackbone against transformers' own forward pass."""

from contextlib import nullcontext

import pytest
import torch
import transformers
from compilation import compiles
from text_towers import DROPOUTS, PAIRS, SIZES, config_of, families, library_model, spread, tower
from torch import nn

from mmtbps.models import BERTBackbone
from mmtbps.models.backbones.base import Tokens
from mmtbps.models.backbones.bert_families import (
    FAMILIES,
    Family,
    block_far_keys,
    block_keys,
)
from mmtbps.models.preprocessor import pad_captions


def expected_features(output, mask, pooling):
    states = output.last_hidden_state
    if pooling == 'mean':
        return torch.stack([row[seen].mean(0) for row, seen in zip(states, mask, strict=True)])
    return output.pooler_output if pooling == 'pooler' else states[:, 0]


def test_all_families_are_tested():
    assert set(SIZES) == {name for name in FAMILIES if name in transformers.CONFIG_MAPPING}


@torch.no_grad()
@pytest.mark.parametrize('family, pooling', PAIRS)
def test_every_cut_equals_transformers(family, pooling, ids_and_mask):
    backbone, (ids, mask) = tower(family, pooling), ids_and_mask
    output = library_model(backbone, family)(input_ids=ids, attention_mask=mask.long())
    expected = expected_features(output, mask, pooling)
    assert expected.std(0).mean() > 0.1, 'captions must differ'
    torch.testing.assert_close(backbone(ids, mask), expected, atol=1e-5, rtol=1e-5)
    assert backbone.depth == backbone.bert.config.num_hidden_layers
    assert expected.shape == (3, backbone.out_dims)
    for cut in range(backbone.depth + 1):
        tokens = backbone.run(backbone.run(backbone.embed(ids, mask), 0, cut), cut)
        torch.testing.assert_close(backbone.pool(tokens), expected, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(backbone.token_features(tokens)[mask],
                                   output.last_hidden_state[mask], atol=1e-5, rtol=1e-5)


@torch.no_grad()
@families
def test_eager_attention_equals_transformers(family, ids_and_mask):
    eager = dict(attn_implementation='eager')
    backbone, (ids, mask) = tower(family, **eager), ids_and_mask
    output = library_model(backbone, family, **eager)(input_ids=ids, attention_mask=mask.long())
    torch.testing.assert_close(backbone(ids, mask), output.last_hidden_state[:, 0],
                               atol=1e-5, rtol=1e-5)


@families
def test_gradients_equal_transformers(family, ids_and_mask):
    backbone, (ids, mask) = tower(family, 'mean').double(), ids_and_mask
    model = library_model(backbone, family).double()
    backbone(ids, mask).square().sum().backward()
    output = model(input_ids=ids, attention_mask=mask.long())
    expected_features(output, mask, 'mean').square().sum().backward()
    expected = {name: p.grad for name, p in model.named_parameters() if 'pooler' not in name}
    found = {name: p.grad for name, p in backbone.bert.named_parameters()}
    assert found.keys() == expected.keys() and all(g is not None for g in found.values())
    for name in found:
        torch.testing.assert_close(found[name], expected[name], atol=1e-9, rtol=1e-7, msg=name)


@torch.no_grad()
@families
def test_no_mask_is_a_mask_of_all(family, ids_and_mask):
    ids = ids_and_mask[0][1:2]
    backbone = tower(family, 'mean')
    embedded = backbone.embed(ids, torch.ones_like(ids, dtype=torch.bool))
    bare = Tokens(embedded.hidden)
    torch.testing.assert_close(backbone.pool(backbone.run(bare)),
                               backbone.pool(backbone.run(embedded)), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(backbone.attention(bare), backbone.attention(embedded),
                               atol=1e-5, rtol=1e-5)


@torch.no_grad()
@families
def test_attention_equals_transformers(family, ids_and_mask):
    backbone, (ids, mask) = tower(family, **dropouts(family)), ids_and_mask
    eager = library_model(backbone, family, attn_implementation='eager')
    output = eager(input_ids=ids, attention_mask=mask.long(), output_attentions=True)
    embedded, features = backbone.embed(ids, mask), backbone(ids, mask)
    implementation = backbone.bert.config._attn_implementation
    for layer, expected in enumerate(output.attentions):
        states = [backbone.run(embedded, 0, before) for before in range(layer + 1)]
        weights = [backbone.attention(tokens, layer) for tokens in states]
        backbone.train()  # dropout or not, each row is a share of one
        for found in (*weights, backbone.attention(states[-1], layer)):
            assert found.shape == (3, backbone.bert.config.num_attention_heads, 12, 12)
            torch.testing.assert_close(found.transpose(1, 2)[mask],
                                       expected.transpose(1, 2)[mask], atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(found.sum(-1), torch.ones(3, 2, 12))
        assert all(module.training for module in backbone.modules())
        backbone.eval()
    torch.testing.assert_close(backbone.attention(backbone.run(embedded)),
                               backbone.attention(embedded, -1))
    assert backbone.bert.config._attn_implementation == implementation
    assert torch.equal(backbone(ids, mask), features)


def dropouts(family, rate=0.3):
    keys = DROPOUTS.get(family, ('hidden_dropout_prob', 'attention_probs_dropout_prob'))
    return dict.fromkeys(keys, rate)


def dropping(family, rate=0.3):
    return config_of(family, **dropouts(family, rate))


@families
@pytest.mark.parametrize('pooling', ['cls', 'mean'])
def test_activations_computed_again_give_the_same_gradients(family, pooling, ids_and_mask):
    results = []
    for with_cp in (False, True):
        backbone = spread(BERTBackbone(config=dropping(family), pooling=pooling, with_cp=with_cp))
        torch.manual_seed(3)
        features = backbone.train()(*ids_and_mask)
        features.square().sum().backward()
        results.append((features, *(p.grad for p in backbone.parameters())))
    assert not torch.allclose(results[0][0], backbone.eval()(*ids_and_mask)), 'no dropout'
    for kept, again in zip(*results, strict=True):
        assert torch.equal(kept, again)


@families
def test_fewer_activations_are_kept(family, ids_and_mask):
    kept = []
    for with_cp in (False, True):
        backbone = tower(family, 'mean').train()
        backbone.with_cp, sizes = with_cp, []
        with torch.autograd.graph.saved_tensors_hooks(
                lambda tensor, sizes=sizes: sizes.append(tensor.numel()) or tensor, lambda x: x):
            backbone.run(backbone.embed(*ids_and_mask))
        kept.append(sum(sizes))
    assert kept[1] < kept[0] / 3


@torch.no_grad()
@families
def test_the_models_own_layers_run(family, ids_and_mask):
    """As they must to be compiled, hooked or wrapped in place; and nothing else changes."""
    backbone, calls = tower(family, 'mean'), []
    names, settings = list(backbone.state_dict()), backbone.bert.config.to_dict()
    modules, attributes = list(backbone.modules()), list(vars(backbone.bert))
    for number, layer in enumerate(backbone.layers):
        layer.register_forward_hook(lambda *_, number=number: calls.append(number))
    hooks = [len(module._forward_hooks) for module in modules]
    backbone(*ids_and_mask)
    assert calls == list(range(backbone.depth))
    tokens = backbone.run(backbone.embed(*ids_and_mask), 0, 1)
    backbone.attention(tokens)
    assert calls[backbone.depth:] == list(range(backbone.depth))
    assert list(backbone.state_dict()) == names and backbone.bert.config.to_dict() == settings
    assert list(backbone.modules()) == modules and list(vars(backbone.bert)) == attributes
    assert [len(module._forward_hooks) for module in modules] == hooks


@compiles
@torch.no_grad()
@families
def test_layers_compiled_in_place(family, ids_and_mask):
    backbone, graphs = tower(family, 'mean'), []
    expected = backbone(*ids_and_mask)

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    torch._dynamo.reset()
    for layer in backbone.layers:
        layer.compile(backend=backend, dynamic=True)
    torch.testing.assert_close(backbone(*ids_and_mask), expected, atol=1e-5, rtol=1e-5)
    assert graphs
    torch._dynamo.reset()


class Text(nn.Module):
    """A tower under the names of an exported graph."""

    def __init__(self, backbone):
        super().__init__()
        self.backbone = backbone

    def forward(self, input_ids, attention_mask):
        return self.backbone(input_ids, attention_mask)


@torch.no_grad()
@families
def test_exported_graph_takes_any_length(family, captions):
    text = Text(tower(family)).eval()
    batch, length = torch.export.Dim('batch'), torch.export.Dim('length', min=2, max=64)
    ids = torch.ones(2, 5, dtype=torch.int64)
    shapes = dict(input_ids={0: batch, 1: length}, attention_mask={0: batch, 1: length})
    program = torch.export.export(text, (), dict(input_ids=ids, attention_mask=ids.bool()),
                                  dynamic_shapes=shapes, strict=False)
    for more in (0, 20):
        inputs = pad_captions(*captions, min_length=more)
        torch.testing.assert_close(
            program.module()(input_ids=inputs[0], attention_mask=inputs[1]), text(*inputs),
            atol=1e-5, rtol=1e-5)


@families
@pytest.mark.parametrize('with_cp', [False, True])
def test_training_asks_the_device_nothing(family, with_cp, ids_and_mask, monkeypatch):
    """On the meta device a tensor has no value to ask for; autocast does not know that device."""
    monkeypatch.setattr(torch, 'autocast', lambda *_, **__: nullcontext())
    monkeypatch.setattr(torch, 'is_autocast_enabled', lambda *_: False)
    backbone = BERTBackbone(config=dropping(family), pooling='mean', with_cp=with_cp).to('meta')
    if family == 'distilbert' and backbone.bert.config._attn_implementation == 'eager':
        pytest.skip('the DistilBERT of old versions copies a number to the device')
    features = backbone.train()(*(tensor.to('meta') for tensor in ids_and_mask))
    features.sum().backward()
    assert features.shape == (3, 16) and next(backbone.parameters()).grad is not None


@torch.no_grad()
@families
def test_half_precision_with_much_padding(family, captions):
    backbone = tower(family)
    expected = backbone(*pad_captions(*captions))
    with torch.autocast('cpu', torch.bfloat16):
        inputs = pad_captions(*captions, min_length=60)
        found = backbone.pool(backbone.run(backbone.embed(*inputs)))
        assert backbone.run(backbone.embed(*inputs)).hidden.isfinite().all()
    similarity = nn.functional.cosine_similarity(found.float(), expected)
    assert (similarity > 0.99).all()


@pytest.mark.parametrize('family, pooling', PAIRS)
def test_padding_changes_no_feature(family, pooling, captions):
    backbone = tower(family, pooling)
    short, long = (backbone(*pad_captions(*captions, min_length=n)) for n in (0, 64))
    torch.testing.assert_close(short, long, atol=1e-5, rtol=1e-5)


def mask_read_by(layer, model, ids_and_mask):
    """The mask that a layer of transformers' own model is given."""
    kept = []

    def keep(module, args, kwargs):
        # By position in BERT, by name in ModernBERT; before transformers 5.1 it is given both.
        far = kwargs.get('sliding_window_mask') if layer % 2 else None
        kept.append(kwargs.get('attention_mask', *args[1:2]) if far is None else far)

    eager = library_model(model, model.bert.config.model_type, attn_implementation='eager')
    Family.of(eager).layers_of(eager)[layer].register_forward_pre_hook(keep, with_kwargs=True)
    eager(input_ids=ids_and_mask[0], attention_mask=ids_and_mask[1].long())
    return kept[0]


def test_masks_are_those_of_transformers(ids_and_mask):
    mask, hidden = ids_and_mask[1], torch.zeros(3, 12, 16)
    for family in sorted(SIZES.keys() & {'bert', 'modernbert'}):
        expected = mask_read_by(0, tower(family), ids_and_mask)
        assert torch.equal(block_keys(mask, hidden).expand_as(expected), expected)
    if 'modernbert' in SIZES:
        expected = mask_read_by(1, tower('modernbert'), ids_and_mask)
        some = (expected == 0).any(-1)
        found = block_far_keys(mask, hidden, 2)
        assert torch.equal(found[some], expected[some]) and some.sum() == 7 + 12 + 5
        lost = block_far_keys(mask, hidden, 2)[~some]
        assert ((lost == 0).sum(-1) == 1).all(), 'of nothing a softmax makes no numbers'
    assert torch.equal(block_far_keys(None, hidden, 2)[0], block_far_keys(mask, hidden, 2)[1])
    assert block_keys(mask, hidden.bfloat16()).dtype == torch.bfloat16


@torch.no_grad()
@pytest.mark.parametrize('family, pooling', PAIRS)
def test_a_tokens_feature_is_that_of_attention_to_it_alone(family, pooling, captions):
    """Against the whole last layer with all tokens but one masked."""
    options = dict(local_attention=64) if family == 'modernbert' else {}
    backbone = tower(family, pooling, **options)
    ids, mask = pad_captions(*captions)
    last = backbone.depth - 1
    tokens = backbone.run(backbone.embed(ids, mask), 0, last)
    features = backbone.single_token_features(tokens)
    assert features.shape == (3, 12, 16)
    for token in range(12):
        alone = torch.arange(12).expand(3, 12) == token
        whole = backbone.run(Tokens(tokens.hidden, alone, layer=last), last)
        torch.testing.assert_close(features[:, token], backbone.pool(whole), atol=1e-5, rtol=1e-5)
    inputs = pad_captions(*captions, min_length=64)
    padded = backbone.run(backbone.embed(*inputs), 0, last)
    torch.testing.assert_close(backbone.single_token_features(padded)[:, :12][mask],
                               features[mask], atol=1e-5, rtol=1e-5)
