"""BERTBackbone: folders, settings, names of weights, and models that are refused."""

import inspect
import json

import pytest
import torch
import transformers
from text_towers import SIZES, WITH_POOLER, config_of, families, spread, tower
from tiny_models import TINY_BERT
from transformers import AutoConfig, AutoModel

from mmtbps.errors import BadValue
from mmtbps.models import BERTBackbone, PooledBackbone
from mmtbps.models.backbones.bert_families import (
    FAMILIES,
    Family,
)


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


@pytest.mark.parametrize('kind', [torch.float16, torch.bfloat16])
def test_a_folder_in_half_precision_is_loaded_in_float32(kind, tmp_path):
    model = AutoModel.from_config(AutoConfig.for_model(**config_of('bert'))).to(kind)
    model.save_pretrained(tmp_path / 'half')
    backbone = BERTBackbone(model=str(tmp_path / 'half'))
    assert {weight.dtype for weight in backbone.parameters()} == {torch.float32}
    weights = backbone.bert.state_dict()
    assert all(torch.equal(weights[name], value.float())
               for name, value in model.state_dict().items())


def test_a_folder_without_some_of_the_weights_is_refused(tmp_path):
    model = AutoModel.from_config(AutoConfig.for_model(**config_of('bert')))
    weights = {name: value for name, value in model.state_dict().items() if 'pooler' not in name}
    model.save_pretrained(tmp_path / 'model', state_dict=weights)
    backbone = BERTBackbone(model=str(tmp_path / 'model'))  # as of a masked language model
    assert torch.equal(backbone.bert.embeddings.word_embeddings.weight,
                       model.embeddings.word_embeddings.weight)
    with pytest.raises(BadValue, match='model: 16 weights of BertModel are missing, such as enc'):
        BERTBackbone(model=str(tmp_path / 'model'), config=dict(num_hidden_layers=3))


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


def broken_folders(folder):
    """Folders that hold no text model, by what is wrong."""
    AutoModel.from_config(AutoConfig.for_model(**config_of('bert'))).save_pretrained(folder)
    config, weights = folder / 'config.json', folder / 'model.safetensors'
    yield 'junk weights', lambda: weights.write_bytes(b'junk')
    yield 'no weights', weights.unlink
    yield 'no JSON', lambda: config.write_text('{', 'utf-8')
    yield 'empty', config.unlink


def test_a_folder_that_holds_no_model_is_one_line(tmp_path):
    for what, break_it in broken_folders(tmp_path):
        break_it()
        with pytest.raises(BadValue, match=f'{tmp_path}: no text model') as refusal:
            BERTBackbone(model=str(tmp_path))
        assert '\n' not in str(refusal.value), what


@pytest.mark.parametrize('config, message', [
    (dict(config_of('bert'), hidden_size=15), 'none of a bert model .*multiple of'),
    (dict(config_of('bert'), add_cross_attention=True), 'none of a bert model'),
    (dict(model_type='modernbert', vocab_size=50), 'none of a modernbert model')])
def test_sizes_that_make_no_model_are_one_line(config, message):
    with pytest.raises(BadValue, match=message) as refusal:
        BERTBackbone(config=config, pooling='cls')
    assert '\n' not in str(refusal.value)


def test_a_folder_of_another_kind_than_the_config_says_is_refused(tmp_path):
    AutoModel.from_config(AutoConfig.for_model(**config_of('bert'))).save_pretrained(tmp_path)
    BERTBackbone(model=str(tmp_path), config=dict(model_type='bert'))
    with pytest.raises(BadValue, match="model_type 'bert', got model_type='roberta'"):
        BERTBackbone(model=str(tmp_path), config=dict(model_type='roberta'))


@families
def test_a_folder_of_more_layers_than_its_config_says_is_refused(family, tmp_path):
    model = AutoModel.from_config(AutoConfig.for_model(**config_of(family)))
    model.save_pretrained(tmp_path / 'model')
    config = json.loads((tmp_path / 'model/config.json').read_text())
    key = 'n_layers' if 'n_layers' in config else 'num_hidden_layers'
    fewer = {name: value for name, value in config.items() if name != 'layer_types'}
    (tmp_path / 'model/config.json').write_text(json.dumps({**fewer, key: config[key] - 1}))
    with pytest.raises(BadValue, match='are of layers that its config.json does not count'):
        BERTBackbone(model=str(tmp_path / 'model'), pooling='cls')
    asked = BERTBackbone(model=str(tmp_path / 'model'), pooling='cls', config={key: 1})
    assert asked.depth == 1  # by intention


def test_a_folder_of_weights_that_are_no_numbers_is_refused(tmp_path):
    model = AutoModel.from_config(AutoConfig.for_model(**config_of('bert')))
    model.encoder.layer[1].output.dense.bias.data[2] = torch.inf
    model.save_pretrained(tmp_path)
    with pytest.raises(BadValue, match='NaN or infinity: encoder.layer.1.output.dense.bias'):
        BERTBackbone(model=str(tmp_path))
