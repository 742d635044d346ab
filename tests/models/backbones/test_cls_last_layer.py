"""The last layer for one token against the whole layer."""

import copy

import pytest
import torch
from mmpretrain.models.backbones.vision_transformer import TransformerEncoderLayer
from tiny_models import TINY_BERT
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from transformers import CONFIG_MAPPING
from transformers.models.bert.modeling_bert import BertLayer

from mmtbps.models import BERTBackbone
from mmtbps.models.backbones.cls_last_layer import (
    bert_first_token,
    is_plain_bert,
    vit_first_token,
)


def vit_layer(**options):
    torch.manual_seed(0)
    layer = TransformerEncoderLayer(16, 4, 32, **options).double()
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.5)
    return layer


def bert_layer(family='bert'):
    torch.manual_seed(0)
    sizes = dict(TINY_BERT, model_type=family, num_hidden_layers=1)
    layer = BERTBackbone(config=sizes, pooling='cls').bert.encoder.layer[0].double()
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.5)
    return layer


def assert_same_value_and_gradients(layer, whole, first, tokens=7):
    """``first(layer, hidden)`` must be ``whole(layer, hidden)[:, 0]``, and its gradients those."""
    hidden = torch.randn(3, tokens, 16, dtype=torch.double)
    found = []
    for function in (lambda *args: whole(*args)[:, 0], first):
        one, states = copy.deepcopy(layer), hidden.clone().requires_grad_()
        token = function(one, states)
        token.square().sum().backward()
        found.append([token.detach(), states.grad, *(p.grad for p in one.parameters())])
    assert all(gradient is not None and gradient.abs().sum() > 0 for gradient in found[0][1:])
    for expected, value in zip(*found, strict=True):
        torch.testing.assert_close(value, expected, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize('options', [{}, dict(qkv_bias=False), dict(layer_scale_init_value=0.1)])
def test_vit_layer(options):
    assert_same_value_and_gradients(
        vit_layer(**options), lambda layer, hidden: layer(hidden), vit_first_token)


@pytest.mark.parametrize('family', ['bert', 'roberta', 'electra'])
def test_bert_layer_with_padding(family):
    lengths = torch.tensor([7, 2, 4])
    blocked = torch.zeros(3, 7, dtype=torch.double).masked_fill(
        torch.arange(7)[None] >= lengths[:, None], torch.finfo(torch.double).min)[:, None, None]

    def whole(layer, hidden):
        output = layer(hidden, attention_mask=blocked)
        return output[0] if isinstance(output, tuple) else output

    layer = bert_layer(family)
    assert type(layer).__name__ != 'BertLayer' or family == 'bert'
    assert is_plain_bert(layer)
    assert_same_value_and_gradients(
        layer, whole, lambda layer, hidden: bert_first_token(layer, hidden, blocked))


def flops(function, *inputs):
    with FlopCounterMode(display=False) as counter:
        function(*inputs)
    return counter.get_total_flops()


def test_less_is_computed():
    """Long sequences: what stays is keys and values, 2 of the 12 D x D products of a token."""
    hidden = torch.randn(1, 500, 64)
    vit = TransformerEncoderLayer(64, 4, 256)
    bert = BERTBackbone(config=dict(TINY_BERT, hidden_size=64, intermediate_size=256,
                                    num_hidden_layers=1)).bert.encoder.layer[0]
    product, blocked = 2 * 500 * 64 * 64, torch.zeros(1, 1, 1, 500)
    for few, all_tokens in (
            (flops(vit_first_token, vit, hidden), flops(vit, hidden)),
            (flops(bert_first_token, bert, hidden, blocked),
             flops(lambda states: bert(states, attention_mask=blocked), hidden))):
        assert all_tokens >= 12 * product and few < 2.3 * product


class LowRank(nn.Module):
    """A stand-in for an adapter around the projection."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, hidden):
        return self.inner(hidden) * 2


def test_layers_of_another_make_run_whole():
    layer = vit_layer()
    layer.attn.qkv = LowRank(layer.attn.qkv)
    assert_same_value_and_gradients(layer, lambda layer, hidden: layer(hidden), vit_first_token)


class OtherLayer(BertLayer):
    """A stand-in for a layer that is nearly BERT's."""

    def feed_forward_chunk(self, attention_output):
        return super().feed_forward_chunk(attention_output) + 1


@pytest.mark.parametrize('family', sorted(
    {'bert', 'distilbert', 'mpnet', 'modernbert', 'camembert'} & set(CONFIG_MAPPING)))
def test_towers_run_a_last_layer_of_another_make_whole(family):
    settings = BERTBackbone.tiny_settings(dict(config=dict(model_type=family), pooling='cls'))
    tower = BERTBackbone(**settings).double().eval()
    if family == 'bert':
        tower.layers[-1] = OtherLayer(tower.bert.config).double().eval()
    ids, mask = torch.arange(4, 16).view(2, 6), torch.arange(6) < torch.tensor([[6], [3]])
    tokens = tower.run(tower.embed(ids, mask), 0, 1)
    assert not is_plain_bert(tower.layers[-1]) and tower.run_last_layer(tokens) is None
    whole = tower.run(tokens, 1)
    assert whole.hidden.shape == (2, 6, 16)
    assert torch.equal(tower(ids, mask), tower.pool(whole))


def test_dropout_reaches_every_place_while_training():
    hidden, blocked = torch.randn(64, 5, 16, dtype=torch.double), torch.zeros(1, 1, 1, 5).double()
    for rate in ('drop_rate', 'attn_drop_rate', 'drop_path_rate'):
        layer = vit_layer(**{rate: 0.5})
        torch.manual_seed(1)
        noisy, still = vit_first_token(layer.train(), hidden), vit_first_token(layer.eval(), hidden)
        assert not torch.allclose(noisy, still), rate
    for rate in ('hidden_dropout_prob', 'attention_probs_dropout_prob'):
        layer = BERTBackbone(config={**TINY_BERT, rate: 0.5}).bert.encoder.layer[0].double()
        noisy = bert_first_token(layer.train(), hidden, blocked)
        assert not torch.allclose(noisy, bert_first_token(layer.eval(), hidden, blocked)), rate
