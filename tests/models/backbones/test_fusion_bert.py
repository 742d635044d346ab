"""BERT that reads images, as a tower: slices, one token, attention, recomputation, refusals."""

import pytest
import torch
from cross_encoders import SIZES, captions
from cross_encoders import spread as spread_state

from mmtbps.models import FusionBERT
from mmtbps.registry import MODELS

FORMS = pytest.mark.parametrize('options', [dict(text_layers=2), dict(text_layers=None,
                                                                      segments=0)])


def tower(options):
    with torch.no_grad():
        return spread_state(FusionBERT(**SIZES, **options, dropout=0.0))


@FORMS
@torch.no_grad()
def test_slices_and_the_first_token_alone_give_the_whole(options):
    bert = tower(options)
    ids, mask = captions()
    whole = bert.run(bert.embed(ids, mask))
    tokens = bert.embed(ids, mask)
    for stop in range(1, bert.depth + 1):
        tokens = bert.run(tokens, stop - 1, stop)
    torch.testing.assert_close(tokens.hidden, whole.hidden)
    assert bert.depth == (options['text_layers'] or 4)
    alone = bert.run(bert.embed(ids, mask), read_only=True)
    assert alone.hidden.shape == (5, 1, 16)
    torch.testing.assert_close(bert.pool(alone), bert.pool(whole), rtol=0, atol=1e-6)


@FORMS
@torch.no_grad()
def test_attention_is_what_makes_the_next_states(options):
    bert = tower(options)
    ids, mask = captions()
    tokens = bert.run(bert.embed(ids, mask), 0, bert.depth - 1)
    shares, layer = bert.attention(tokens), bert.layers[-1]
    assert shares.shape == (5, 2, 7, 7) and not shares[1, :, :, 4:].any()
    torch.testing.assert_close(shares.sum(-1), torch.ones(5, 2, 7))
    value = layer.attention.self.value(tokens.hidden).unflatten(-1, (2, 8)).transpose(1, 2)
    read = layer.attention.output.dense((shares @ value).transpose(1, 2).flatten(2))
    states = layer.transform(layer.attention.output.LayerNorm(tokens.hidden + read))
    torch.testing.assert_close(states, bert.run(tokens, bert.depth - 1).hidden, rtol=0, atol=1e-5)


@torch.no_grad()
def test_a_single_token_is_all_that_the_first_one_reads():
    bert = tower(dict(text_layers=2))
    ids, mask = captions()
    tokens = bert.run(bert.embed(ids, mask), 0, 1)
    single, layer = bert.single_token_features(tokens), bert.layers[-1]
    for row, place in ((0, 0), (0, 3), (2, 5)):
        first, read = tokens.hidden[row, :1], tokens.hidden[row, place]
        value = layer.attention.output.dense(layer.attention.self.value(read))
        expected = layer.transform(layer.attention.output.LayerNorm(first + value))
        torch.testing.assert_close(single[row, place], expected[0], rtol=0, atol=1e-5)


@FORMS
def test_gradients_are_the_same_recomputed(options):
    bert = tower(options).train()
    ids, mask = captions()
    image = torch.randn(5, 3, 12, generator=torch.Generator().manual_seed(0))
    aim = torch.randn(5, 16, generator=torch.Generator().manual_seed(1))
    gradients = []
    for bert.with_cp in (False, True):
        bert.zero_grad()
        fused = bert.fuse(image, bert.fusion_tokens(ids, mask), mask)[:, 0]
        ((fused + bert(ids, mask)) * aim).sum().backward()
        gradients.append({name: value.grad for name, value in bert.named_parameters()})
    assert all(grad is not None for grad in gradients[0].values())
    torch.testing.assert_close(*gradients)


def test_depths_of_weights_follow_the_layers():
    bert = FusionBERT(**SIZES, text_layers=2)
    depths = {name: bert.get_layer_depth(name) for name, _ in bert.named_parameters()}
    assert depths['embeddings.LayerNorm.bias'] == (0, 4)
    assert depths['encoder.layer.1.output.dense.bias'] == (2, 4)
    assert depths['encoder.layer.2.crossattention.self.key.bias'] == (3, 4)
    bert = FusionBERT(**SIZES, text_layers=None)
    assert bert.get_layer_depth('encoder.layer.1.crossattention.self.key.bias') == (2, 6)


@pytest.mark.parametrize('fusion', [None, 59])
def test_tiny_settings_keep_the_form(fusion):
    settings = dict(type='FusionBERT', text_layers=None if fusion else 6, fusion_token=fusion)
    bert = MODELS.build(FusionBERT.tiny_settings(settings))
    assert bert.fuses_states == (fusion is None) and len(bert.encoder.layer) == 2
    assert bert.fusion_token == (None if fusion is None else 2047)


@pytest.mark.parametrize('changed, message', [
    (dict(heads=3), '3 heads do not divide a width of 16'),
    (dict(text_layers=4), 'text_layers=4 of depth=4 leave no layer'),
    (dict(text_layers=0), 'text_layers=0 of depth=4 leave no layer'),
    (dict(text_layers=2, fusion_token=3), 'needs text_layers=None'),
    (dict(text_layers=None, fusion_token=60), 'must be one of 60 tokens')])
def test_settings_that_make_no_tower_are_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        FusionBERT(**{**SIZES, **changed})


def test_captions_beyond_the_tables_are_refused():
    bert = FusionBERT(**SIZES, text_layers=2)
    with pytest.raises(ValueError, match='captions of 10 tokens; this FusionBERT has 9 places'):
        bert(torch.ones(1, 10, dtype=torch.long), torch.ones(1, 10, dtype=torch.bool))
    with pytest.raises(ValueError, match="token id 60 is outside the text backbone's vocabulary"):
        bert(torch.tensor([[2, 60]]), torch.ones(1, 2, dtype=torch.bool))
