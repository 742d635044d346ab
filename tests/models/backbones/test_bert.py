"""BERTBackbone against transformers' own forward pass."""

import pytest
import torch
from tiny_models import TINY_BERT
from transformers import BertConfig, BertModel

from mmtbps.models import BERTBackbone, PooledBackbone
from mmtbps.models.preprocessor import pad_captions


@pytest.fixture
def captions():
    generator = torch.Generator().manual_seed(0)
    rows = [torch.randint(1, 50, (n,), generator=generator) for n in (5, 9, 3)]
    return [torch.cat(rows)], [torch.tensor([5, 9, 3])]


@pytest.mark.parametrize('layer', [0, 1, 2])
def test_the_two_halves_equal_transformers(layer, captions):
    torch.manual_seed(0)
    backbone = BERTBackbone(config=TINY_BERT).eval()
    bert = BertModel(BertConfig(**TINY_BERT)).eval()
    bert.load_state_dict(backbone.bert.state_dict())
    ids, mask = pad_captions(*captions)
    halves = backbone.encode(backbone.embed(ids, mask, layer), mask, layer)
    expected = bert(input_ids=ids, attention_mask=mask.long()).pooler_output
    torch.testing.assert_close(halves, expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize('pooling', ['pooler', 'cls', 'mean'])
def test_padding_to_64_changes_no_feature(pooling, captions):
    torch.manual_seed(0)
    backbone = BERTBackbone(config=TINY_BERT, pooling=pooling).eval()
    short, long = (backbone(*pad_captions(*captions, min_length=n)) for n in (0, 64))
    torch.testing.assert_close(short, long, atol=1e-5, rtol=0)


def test_poolings(captions):
    torch.manual_seed(0)
    ids, mask = pad_captions(*captions)
    states = BERTBackbone(config=TINY_BERT, pooling='cls').eval()
    mean = BERTBackbone(config=TINY_BERT, pooling='mean').eval()
    mean.load_state_dict(states.state_dict())
    hidden = states._run(states.embed(ids, mask), mask, 0, 2)
    torch.testing.assert_close(states(ids, mask), hidden[:, 0])
    by_hand = torch.stack([hidden[i, :n].mean(0) for i, n in enumerate((5, 9, 3))])
    torch.testing.assert_close(mean(ids, mask), by_hand)


@torch.no_grad()
@pytest.mark.parametrize('pooling', ['pooler', 'cls', 'mean'])
def test_a_tokens_feature_is_that_of_attention_to_it_alone(pooling, captions):
    """Against the whole last layer with all tokens but one masked."""
    torch.manual_seed(0)
    backbone = BERTBackbone(config=TINY_BERT, pooling=pooling).eval()
    ids, mask = pad_captions(*captions)
    hidden = backbone.embed(ids, mask, 1)
    features = backbone.encode_tokens(hidden, mask)
    assert backbone.depth == 2 and features.shape == hidden.shape
    for token in range(9):
        alone = torch.arange(9).expand(3, 9) == token
        torch.testing.assert_close(features[:, token], backbone.encode(hidden, alone, 1))
    padded = backbone.embed(*pad_captions(*captions, min_length=64), 1)
    more = backbone.encode_tokens(padded, pad_captions(*captions, min_length=64)[1])
    torch.testing.assert_close(more[:, :9][mask], features[mask])


def test_a_folder_of_transformers_is_loaded(tmp_path, captions):
    torch.manual_seed(0)
    bert = BertModel(BertConfig(**TINY_BERT)).eval()
    bert.save_pretrained(tmp_path)
    backbone = BERTBackbone(model=str(tmp_path)).eval()
    backbone.init_weights()  # as the Runner does; must not undo the loading
    ids, mask = pad_captions(*captions)
    torch.testing.assert_close(backbone(ids, mask),
                               bert(input_ids=ids, attention_mask=mask.long()).pooler_output)


def test_other_families_fit():
    sizes = dict(TINY_BERT, model_type='electra', embedding_size=16)
    backbone = BERTBackbone(config=sizes, pooling='cls')
    assert backbone.bert.config.model_type == 'electra'
    features = backbone(torch.tensor([[2, 5, 3]]), torch.ones(1, 3, dtype=torch.bool))
    assert features.shape == (1, 16) and features.std() > 0


@pytest.mark.parametrize('kwargs, error, message', [
    (dict(), ValueError, 'config'),
    (dict(model='./nowhere/bert'), FileNotFoundError, 'nowhere'),
    (dict(config=TINY_BERT, pooling='max'), ValueError, 'pooling'),
    (dict(config=dict(model_type='gpt2', n_layer=1, n_embd=8, n_head=2)), ValueError, 'BERT-like'),
])
def test_bad_models_are_named(kwargs, error, message):
    with pytest.raises(error, match=message):
        BERTBackbone(**kwargs)


def test_a_foreign_tokenizer_is_noticed():
    backbone = BERTBackbone(config=TINY_BERT)
    with pytest.raises(ValueError, match='vocabulary of 50'):
        backbone(torch.tensor([[2, 999, 3]]), torch.ones(1, 3, dtype=torch.bool))


def test_pooled_backbone_averages_the_last_map():
    torch.manual_seed(0)
    convolution = torch.nn.Conv2d(3, 4, 3)
    images = torch.randn(2, 3, 8, 6)
    features = PooledBackbone(convolution, out_dims=4)(images)
    torch.testing.assert_close(features, convolution(images).mean((2, 3)))
    with pytest.raises(ValueError, match='Conv2d'):
        PooledBackbone(convolution, out_dims=5)(images)
