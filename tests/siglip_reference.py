"""SigLIP's towers from the published names of their weights, with torch.nn.functional alone."""

import torch.nn.functional as F
from clip_reference import attend, linear


def norm(states, state, name):
    weight, bias = state[f'{name}.weight'], state[f'{name}.bias']
    return F.layer_norm(states, weight.shape, weight, bias, 1e-6)


def tanh_gelu(states):
    return F.gelu(states, approximate='tanh')


def feed_forward(states, state, name, activation=tanh_gelu):
    return linear(activation(linear(states, state, f'{name}.fc1')), state, f'{name}.fc2')


def run_layers(states, state, activation=tanh_gelu, causal=False):
    for i in range(3):
        layer = f'encoder.layers.{i}'
        normed = norm(states, state, f'{layer}.layer_norm1')
        query, key, value = (linear(normed, state, f'{layer}.self_attn.{part}_proj')
                             for part in 'qkv')
        read = attend(query, key, value, 3, causal)
        states = states + linear(read, state, f'{layer}.self_attn.out_proj')
        states = states + feed_forward(norm(states, state, f'{layer}.layer_norm2'), state,
                                       f'{layer}.mlp', activation)
    return states


def image_tokens(images, state, post_norm=True, **options):
    conv = 'embeddings.patch_embedding'
    patches = F.conv2d(images, state[f'{conv}.weight'], state[f'{conv}.bias'], stride=8)
    states = patches.flatten(2).transpose(1, 2) + state['embeddings.position_embedding.weight']
    states = run_layers(states, state, **options)
    return norm(states, state, 'post_layernorm') if post_norm else states


def image_feature(images, state, residual=True, **options):
    tokens = image_tokens(images, state, **options)
    weights = state['head.attention.in_proj_weight'].chunk(3)
    biases = state['head.attention.in_proj_bias'].chunk(3)
    probe = state['head.probe'].expand(len(images), -1, -1)
    query, key, value = (F.linear(states, weight, bias) for states, weight, bias in
                         zip((probe, tokens, tokens), weights, biases, strict=True))
    states = linear(attend(query, key, value, 3), state, 'head.attention.out_proj')
    added = feed_forward(norm(states, state, 'head.layernorm'), state, 'head.mlp')
    return (states * residual + added)[:, 0]


def text_feature(ids, state, place=-1, **options):
    states = F.embedding(ids, state['embeddings.token_embedding.weight'])
    states = run_layers(states + state['embeddings.position_embedding.weight'], state, **options)
    return linear(norm(states, state, 'final_layer_norm'), state, 'head')[:, place]
