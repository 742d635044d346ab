"""CLIP's towers from the published names of their weights, with torch.nn.functional alone."""

import torch
import torch.nn.functional as F


def spread_(module, seed=0):
    """Weights that keep rows apart: norms near 1, biases near 0, matrices 1.2 / sqrt(fan in)."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in module.named_parameters():
            if 'embedding' in name or name.endswith('probe'):
                weight.normal_(0, 0.7, generator=generator)
            elif weight.ndim > 1:
                weight.normal_(0, 1.2 * weight[0].numel()**-0.5, generator=generator)
            else:
                weight.normal_(0, 0.1, generator=generator)
                if name.endswith('weight'):  # of a norm
                    weight.add_(1)
    return module


def norm(states, state, name):
    weight, bias = state[f'{name}.weight'], state[f'{name}.bias']
    return F.layer_norm(states, weight.shape, weight, bias, 1e-5)


def linear(states, state, name):
    return F.linear(states, state[f'{name}.weight'], state[f'{name}.bias'])


def quick_gelu(states):
    return states * torch.sigmoid(1.702 * states)


def attend(query, key, value, heads, causal=False):
    """Softmax of scaled products, one head at a time, before the output's matrix."""
    width, outputs = query.shape[-1] // heads, []
    for head in range(heads):
        own = slice(head * width, (head + 1) * width)
        scores = query[..., own] @ key[..., own].transpose(1, 2) / width**0.5
        if causal:
            scores = scores + torch.full(scores.shape[-2:], float('-inf')).to(scores).triu(1)
        outputs.append(scores.softmax(-1) @ value[..., own])
    return torch.cat(outputs, -1)


def attention(states, state, name, heads, causal):
    query, key, value = F.linear(
        states, state[f'{name}.in_proj_weight'], state[f'{name}.in_proj_bias']).chunk(3, dim=-1)
    return linear(attend(query, key, value, heads, causal), state, f'{name}.out_proj')


def run_blocks(states, state, heads, causal=False, activation=quick_gelu):
    depth = 1 + max(int(key.split('.')[2]) for key in state if 'resblocks' in key)
    for i in range(depth):
        block = f'transformer.resblocks.{i}'
        states = states + attention(norm(states, state, f'{block}.ln_1'), state, f'{block}.attn',
                                    heads, causal)
        inner = activation(linear(norm(states, state, f'{block}.ln_2'), state, f'{block}.mlp.c_fc'))
        states = states + linear(inner, state, f'{block}.mlp.c_proj')
    return states


def image_tokens(images, state, stride, heads, activation=quick_gelu, post_norm=True):
    """``(N, 1 + P, D)`` after the last norm."""
    patches = F.conv2d(images, state['conv1.weight'], stride=stride).flatten(2).transpose(1, 2)
    first = state['class_embedding'].expand(len(images), 1, -1)
    states = torch.cat([first, patches], 1) + state['positional_embedding']
    states = run_blocks(norm(states, state, 'ln_pre'), state, heads, activation=activation)
    return norm(states, state, 'ln_post') if post_norm else states


def text_tokens(ids, state, heads, activation=quick_gelu, causal=True):
    """``(N, L, D)`` after the last norm."""
    states = F.embedding(ids, state['token_embedding.weight'])
    states = states + state['positional_embedding'][:ids.shape[1]]
    states = run_blocks(states, state, heads, causal, activation)
    return norm(states, state, 'ln_final')


def end_places(ids):
    """The first place of the largest id of each row."""
    return [row.index(max(row)) for row in ids.tolist()]


def image_feature(images, state, **options):
    return image_tokens(images, state, **options)[:, 0]


def text_feature(ids, state, **options):
    tokens = text_tokens(ids, state, **options)
    return torch.stack([row[place] for row, place in zip(tokens, end_places(ids), strict=True)])


def difference(ours, theirs):
    """Relative Frobenius difference."""
    return ((ours - theirs).norm() / theirs.norm()).item()
