"""Implicit relation reasoning against a computation by published names, in plain functions."""

import math

import pytest
import torch
import torch.nn.functional as F

from mmtbps.models import MLMHead, Pairs
from mmtbps.models.heads import EncodedSide

DIMS, HEADS, WORDS = 16, 2, 40


def head():
    generator = torch.Generator().manual_seed(0)
    built = MLMHead(WORDS, DIMS, num_layers=2, num_heads=HEADS).double()
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.normal_(0, 1, generator=generator)
            if parameter.ndim == 2:
                parameter.mul_(1.2 / math.sqrt(parameter.shape[1]))
            else:
                parameter.mul_(0.1)
        for name, parameter in built.named_parameters():
            if '.ln' in f'.{name}' and name.endswith('weight'):
                parameter.add_(1)
    return built


def batch():
    generator = torch.Generator().manual_seed(1)
    image = torch.randn(3, 7, DIMS, generator=generator, dtype=torch.double)
    words = torch.randn(3, 6, DIMS, generator=generator, dtype=torch.double)
    mask = torch.arange(6) < torch.tensor([6, 4, 5])[:, None]
    labels = torch.tensor([[0, 7, 0, 0, 9, 0], [0, 0, 31, 0, 5, 5], [0, 2, 0, 0, 0, 0]])
    return image.requires_grad_(), words.requires_grad_(), mask, labels


def loss_of(head, image, words, mask, labels, weights=None):
    """As in training: the head asks for a second pass over the masked captions."""
    asked = []

    def encode_text(ids, given):
        asked.append((ids, given))
        return EncodedSide({'global': words[:, 0]}, given, lambda: words)

    pairs = Pairs(EncodedSide({'global': image[:, 0]}, None, lambda: image),
                  EncodedSide({'global': words[:, 0]}), torch.arange(3),
                  inputs=dict(mlm_input_ids=labels + 1, mlm_input_ids_mask=mask,
                              mlm_labels=labels), encode_text=encode_text, weights=weights)
    value = head(pairs, [])['loss_mlm']
    assert len(asked) == 1 and torch.equal(asked[0][0], labels + 1)
    return value


def norm(state, name, states):
    return F.layer_norm(states, (DIMS,), state[f'{name}.weight'], state[f'{name}.bias'], 1e-5)


def attend(state, name, queries, keys):
    weight, bias = state[f'{name}.in_proj_weight'], state[f'{name}.in_proj_bias']
    q, k, v = (source @ weight[i * DIMS:(i + 1) * DIMS].T + bias[i * DIMS:(i + 1) * DIMS]
               for i, source in enumerate((queries, keys, keys)))
    outputs, width = [], DIMS // HEADS
    for h in range(HEADS):
        part = slice(h * width, (h + 1) * width)
        shares = (q[..., part] @ k[..., part].mT / math.sqrt(width)).softmax(-1)
        outputs.append(shares @ v[..., part])
    return F.linear(torch.cat(outputs, -1), state[f'{name}.out_proj.weight'],
                    state[f'{name}.out_proj.bias'])


def quick_gelu(states):
    return states * torch.sigmoid(1.702 * states)


def linear(state, name, states):
    return F.linear(states, state[f'{name}.weight'], state[f'{name}.bias'])


def reference(state, image, words, mask, labels, residual=False, activation=quick_gelu,
              reduction='mean'):
    states = attend(state, 'cross_attn', norm(state, 'ln_pre_t', words),
                    norm(state, 'ln_pre_i', image))
    if residual:
        states = states + words
    for layer in range(2):
        block = f'cross_modal_transformer.resblocks.{layer}'
        normed = norm(state, f'{block}.ln_1', states)
        states = states + attend(state, f'{block}.attn', normed, normed)
        hidden = quick_gelu(linear(state, f'{block}.mlp.c_fc', norm(state, f'{block}.ln_2',
                                                                    states)))
        states = states + linear(state, f'{block}.mlp.c_proj', hidden)
    states = activation(linear(state, 'mlm_head.dense', norm(state, 'ln_post', states)))
    scores = linear(state, 'mlm_head.fc', norm(state, 'mlm_head.ln', states))
    labels = labels * mask
    return F.cross_entropy(scores.flatten(0, 1), labels.flatten(), ignore_index=0,
                           reduction=reduction)


def test_it_equals_the_published_computation():
    model, (image, words, mask, labels) = head(), batch()
    loss = loss_of(model, image, words, mask, labels)
    loss.backward()
    other_image, other_words, _, _ = batch()
    state = {name: value.clone().requires_grad_() for name, value in model.state_dict().items()}
    expected = reference(state, other_image, other_words, mask, labels)
    expected.backward()
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(image.grad, other_image.grad)
    torch.testing.assert_close(words.grad, other_words.grad)
    for name, parameter in model.state_dict(keep_vars=True).items():
        torch.testing.assert_close(parameter.grad, state[name].grad)
    for fault in (dict(residual=True), dict(activation=F.gelu), dict(reduction='sum')):
        wrong = reference(model.state_dict(), image, words, mask, labels, **fault)
        assert abs(wrong - loss) > 1e-4, fault


def test_a_masked_word_counts_by_the_weight_of_its_pair():
    """Two, two and one words: each caption alone, times the words that it has."""
    model, (image, words, mask, labels) = head(), batch()
    alone = [loss_of(model, image, words, mask, labels * (torch.arange(3) == row)[:, None])
             for row in range(3)]
    value = loss_of(model, image, words, mask, labels, torch.tensor([.5, 0., 3.]))
    torch.testing.assert_close(value, (2 * .5 * alone[0] + 1 * 3 * alone[2]) / 4)


def test_the_published_names_and_sizes():
    state = MLMHead().state_dict()
    assert len({name for name in state if name.startswith('cross_modal')}) == 4 * 12
    shapes = {name: tuple(value.shape) for name, value in state.items()
              if not name.startswith('cross_modal')}
    assert shapes == {
        'cross_attn.in_proj_weight': (1536, 512), 'cross_attn.in_proj_bias': (1536,),
        'cross_attn.out_proj.weight': (512, 512), 'cross_attn.out_proj.bias': (512,),
        **{f'{name}.{kind}': (512,) for name in ('ln_pre_t', 'ln_pre_i', 'ln_post')
           for kind in ('weight', 'bias')},
        'mlm_head.dense.weight': (512, 512), 'mlm_head.dense.bias': (512,),
        'mlm_head.ln.weight': (512,), 'mlm_head.ln.bias': (512,),
        'mlm_head.fc.weight': (49408, 512), 'mlm_head.fc.bias': (49408,)}
    assert MLMHead(vocab_size=9).cross_attn.num_heads == 8


def test_a_batch_without_masked_words_costs_nothing():
    image, words, mask, labels = batch()
    assert loss_of(head(), image, words, mask, labels * 0) == 0
    with pytest.raises(ValueError, match='3 heads do not divide'):
        MLMHead(vocab_size=9, dims=16, num_heads=3)
