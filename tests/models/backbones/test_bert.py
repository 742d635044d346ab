"""BERTBackbone against transformers' own forward pass."""

import inspect
from contextlib import nullcontext

import pytest
import torch
import transformers
from tiny_models import TINY_BERT
from torch import nn
from transformers import AutoConfig, AutoModel

from mmtbps.errors import BadValue
from mmtbps.models import BERTBackbone, PooledBackbone
from mmtbps.models.backbones.base import Tokens
from mmtbps.models.backbones.bert_families import (
    FAMILIES,
    Family,
    block_far_keys,
    block_keys,
)
from mmtbps.models.preprocessor import pad_captions

ROBERTA = dict(TINY_BERT, max_position_embeddings=70)
SIZES = dict(
    bert=TINY_BERT, roberta=ROBERTA, camembert=ROBERTA, mpnet=ROBERTA,
    electra=dict(TINY_BERT, embedding_size=8),
    distilbert=dict(vocab_size=50, dim=16, n_layers=2, n_heads=2, hidden_dim=32,
                    max_position_embeddings=64, dropout=0.0, attention_dropout=0.0),
    # Layers 1 and 3 read two places to either side, the others all tokens.
    modernbert=dict(vocab_size=50, hidden_size=16, num_hidden_layers=4, num_attention_heads=2,
                    intermediate_size=32, max_position_embeddings=64, pad_token_id=0,
                    bos_token_id=2, cls_token_id=2, eos_token_id=3, sep_token_id=3,
                    local_attention=4, global_attn_every_n_layers=2),
    **{'xlm-roberta': ROBERTA})
WITH_POOLER = {'bert', 'roberta', 'camembert', 'mpnet', 'xlm-roberta'}
DROPOUTS = dict(
    modernbert=('attention_dropout', 'mlp_dropout', 'embedding_dropout'),
    distilbert=('dropout', 'attention_dropout'))
if 'modernbert' not in transformers.CONFIG_MAPPING:  # before transformers 4.48
    SIZES.pop('modernbert')
PAIRS = [(family, pooling) for family in sorted(SIZES) for pooling in ('pooler', 'cls', 'mean')
         if pooling != 'pooler' or family in WITH_POOLER]

families = pytest.mark.parametrize('family', sorted(SIZES))


def config_of(family, **options):
    return {**SIZES[family], 'model_type': family, **options}


def spread(module, seed=0):
    """Weights so large that every layer, head and place counts."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.normal_(0, 0.4, generator=generator)
            if parameter.ndim == 1 and name.endswith('weight'):  # of a norm
                parameter.add_(1)
    return module


def tower(family, pooling='cls', seed=0, **options):
    return spread(BERTBackbone(config=config_of(family, **options), pooling=pooling), seed).eval()


def library_model(backbone, family, **options):
    model = AutoModel.from_config(AutoConfig.for_model(**config_of(family, **options)))
    model.load_state_dict(backbone.bert.state_dict(), strict=False)
    return model.to(backbone.bert.dtype).train(backbone.training)


@pytest.fixture
def captions():
    generator = torch.Generator().manual_seed(0)
    rows = [torch.randint(2, 50, (n,), generator=generator) for n in (5, 12, 3)]
    return [torch.cat(rows)], [torch.tensor([5, 12, 3])]


@pytest.fixture
def ids_and_mask(captions):
    return pad_captions(*captions)


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


@torch.no_grad()
@families
def test_a_folder_of_transformers_is_loaded_and_described(family, tmp_path, ids_and_mask):
    model = AutoModel.from_config(AutoConfig.for_model(**config_of(family)))
    spread(model).eval().save_pretrained(tmp_path / 'model')
    settings = dict(model=str(tmp_path / 'model'), pooling='cls')
    backbone = BERTBackbone(**settings).eval()
    backbone.init_weights()  # as the Runner does; must not undo the loading
    ids, mask = ids_and_mask
    expected = model(input_ids=ids, attention_mask=mask.long()).last_hidden_state[:, 0]
    torch.testing.assert_close(backbone(ids, mask), expected, atol=1e-5, rtol=1e-5)

    portable = backbone.portable_settings(settings)
    assert 'model' not in portable and 'transformers_version' not in portable['config']
    again = BERTBackbone(**portable).eval()
    assert portable['config']['model_type'] == family
    again.load_state_dict(backbone.state_dict())
    assert torch.equal(again(ids, mask), backbone(ids, mask))
    assert again.portable_settings(portable) == portable

    tiny = BERTBackbone(**BERTBackbone.tiny_settings(dict(settings, init_cfg=dict(type='X'))))
    assert tiny.bert.config.model_type == family


@torch.no_grad()
@families
def test_tiny_settings(family, ids_and_mask):
    settings = BERTBackbone.tiny_settings(dict(config=dict(model_type=family), pooling='cls'))
    tiny = BERTBackbone(**settings).train()
    assert tiny.bert.config.model_type == family and settings['pooling'] == 'cls'
    assert (tiny.out_dims, tiny.depth, tiny.bert.config.vocab_size) == (16, 2, 2048)
    ids = ids_and_mask[0].repeat(1, 6)[:, :64]
    features = tiny(ids, torch.ones_like(ids, dtype=torch.bool))
    assert torch.equal(features, tiny(ids, torch.ones_like(ids, dtype=torch.bool)))


def test_tiny_settings_of_an_unseen_hub_name_are_those_of_a_bert():
    settings = BERTBackbone.tiny_settings(dict(type='BERTBackbone', model='bert-base-uncased'))
    assert settings.keys() == {'type', 'config'} and 'model_type' not in settings['config']
    settings.pop('type')
    assert BERTBackbone(**settings).bert.config.model_type == 'bert'


def test_names_of_weights_are_those_of_old_checkpoints():
    names = set(BERTBackbone(config=TINY_BERT).state_dict())
    layer = 'bert.encoder.layer.1.'
    assert {'bert.embeddings.word_embeddings.weight', layer + 'attention.self.query.weight',
            layer + 'output.LayerNorm.bias', 'bert.pooler.dense.weight'} < names
    assert len(names) == 5 + 2 * 16 + 2


REFUSED = {
    'albert', 'big_bird', 'convbert', 'data2vec-text', 'deberta', 'deberta-v2', 'ernie', 'fnet',
    'gpt2', 'ibert', 'layoutlm', 'longformer', 'megatron-bert', 'mobilebert', 'mra',
    'nystromformer', 'rembert', 'roberta-prelayernorm', 'roformer', 'squeezebert', 't5', 'xlm',
    'xlm-roberta-xl', 'xlnet', 'xmod', 'yoso'}


@pytest.mark.parametrize('family', sorted(REFUSED))
def test_other_families_are_refused_by_name(family, tmp_path):
    (tmp_path / 'config.json').write_text(f'{{"model_type": "{family}"}}')
    for settings in (dict(config=dict(model_type=family)), dict(model=str(tmp_path))):
        with pytest.raises(BadValue, match=f"'{family}'.*bert, .*modernbert.*xlm-roberta"):
            BERTBackbone(**settings)


@pytest.mark.parametrize('family', ['bert', 'roberta', 'electra'])
@pytest.mark.parametrize('key, value', [
    ('is_decoder', True), ('position_embedding_type', 'relative_key'),
    ('position_embedding_type', 'relative_key_query')])
def test_layers_that_do_more_are_refused(family, key, value, tmp_path):
    config = AutoConfig.for_model(**config_of(family, **{key: value}))
    AutoModel.from_config(config).save_pretrained(tmp_path)
    for settings in (dict(config=config_of(family, **{key: value})), dict(model=str(tmp_path))):
        with pytest.raises(BadValue, match=f'{family}.*{key}={value!r}'):
            BERTBackbone(pooling='cls', **settings)


@pytest.mark.parametrize('kwargs, error, message', [
    (dict(), BadValue, 'config'),
    (dict(model='./nowhere/bert'), FileNotFoundError, 'nowhere'),
    (dict(config=TINY_BERT, pooling='max'), BadValue, 'pooling'),
    (dict(config=dict(TINY_BERT, attn_implementation='flex_attention')), BadValue,
     'flex_attention'),
    *((dict(config=config_of(family)), BadValue, "no pooler; use pooling='cls'")
      for family in sorted(set(SIZES) - WITH_POOLER)),
])
def test_bad_models_are_named(kwargs, error, message):
    with pytest.raises(error, match=message):
        BERTBackbone(**kwargs)


def test_an_older_transformers_is_named(monkeypatch):
    monkeypatch.delitem(transformers.CONFIG_MAPPING._mapping, 'mpnet')
    with pytest.raises(BadValue, match=f'{transformers.__version__} does not know.*mpnet'):
        BERTBackbone(config=config_of('mpnet'))


def test_a_foreign_tokenizer_is_noticed():
    backbone = BERTBackbone(config=TINY_BERT)
    with pytest.raises(BadValue, match='vocabulary of 50'):
        backbone(torch.tensor([[2, 999, 3]]), torch.ones(1, 3, dtype=torch.bool))


def test_tokens_go_on_where_they_are(ids_and_mask):
    backbone = BERTBackbone(config=TINY_BERT)
    tokens = backbone.embed(*ids_and_mask)
    with pytest.raises(ValueError, match='tokens of 0 layers cannot go on with layer 1'):
        backbone.run(tokens, 1)
    with pytest.raises(ValueError, match='beyond'):
        backbone.attention(backbone.run(tokens), 0)


def test_every_family_names_parts_that_exist():
    for name in SIZES:
        family, model = FAMILIES[name], tower(name).bert
        assert Family.of(model) is family and len(family.layers_of(model)) == (
            model.config.num_hidden_layers)
        attention = family.layers_of(model)[0].get_submodule(family.attention)
        assert 'attention_mask' in (names := inspect.signature(attention.forward).parameters) or (
            'mask' in names) or 'kwargs' in names


def test_pooled_backbone_averages_the_last_map():
    torch.manual_seed(0)
    convolution = torch.nn.Conv2d(3, 4, 3)
    images = torch.randn(2, 3, 8, 6)
    features = PooledBackbone(convolution, out_dims=4)(images)
    torch.testing.assert_close(features, convolution(images).mean((2, 3)))
    with pytest.raises(ValueError, match='Conv2d'):
        PooledBackbone(convolution, out_dims=5)(images)
