"""UP-Person's towers, slowly: prefixes at place 1, KV-LoRA in the matrix, adapters beside norms."""

import torch
import torch.nn.functional as F
from clip_reference import linear, norm, quick_gelu

#: What a block has beside CLIP's: keys and values of the prefix, the factor on its attention,
#: what is added to the matrices of keys and values, and (down, bias, up, bias, factor) twice.
EMPTY = dict(prefix_key=None, prefix_value=None, mass=1., key_added=0., value_added=0.,
             adapters=(None, None))


def adapt(states, weights):
    if weights is None:
        return 0.
    down, down_bias, up, up_bias, factor = weights
    return factor * (torch.clamp(states @ down.T + down_bias, min=0) @ up.T + up_bias)


def attend(query, key, value, heads, causal, block):
    """One head, one caption or image, one reader at a time."""
    count, width = query.shape
    inner, output = width // heads, torch.zeros_like(query)
    length = 0 if block['prefix_key'] is None else len(block['prefix_key'])
    if length:
        key = torch.cat([key[:1], block['prefix_key'], key[1:]])
        value = torch.cat([value[:1], block['prefix_value'], value[1:]])
    for head in range(heads):
        own = slice(head * inner, (head + 1) * inner)
        for reader in range(count):
            scores = key[:, own] @ query[reader, own] / inner**0.5
            for column in range(len(key)):
                of_prefix = 1 <= column < 1 + length
                place = column if column < 1 else column - length
                if causal and not of_prefix and place > reader:
                    scores[column] = float('-inf')
            shares = scores.exp() / scores.exp().sum()
            shares[1:1 + length] = shares[1:1 + length] * block['mass']
            output[reader, own] = shares @ value[:, own]
    return output


def run_blocks(states, state, heads, causal, blocks):
    """``(N, P, D)`` through blocks of CLIP's names with the extras of each."""
    for i, extra in enumerate(blocks):
        name = f'transformer.resblocks.{i}'
        first, second = extra['adapters']
        matrix = state[f'{name}.attn.in_proj_weight'].clone()
        width = matrix.shape[1]
        matrix[width:2 * width] += extra['key_added']
        matrix[2 * width:] += extra['value_added']
        inputs = norm(states, state, f'{name}.ln_1') + adapt(states, first)
        query, key, value = F.linear(
            inputs, matrix, state[f'{name}.attn.in_proj_bias']).chunk(3, dim=-1)
        read = torch.stack([attend(q, k, v, heads, causal, extra)
                            for q, k, v in zip(query, key, value, strict=True)])
        states = states + linear(read, state, f'{name}.attn.out_proj')
        inputs = norm(states, state, f'{name}.ln_2') + adapt(states, second)
        inner = quick_gelu(linear(inputs, state, f'{name}.mlp.c_fc'))
        states = states + linear(inner, state, f'{name}.mlp.c_proj')
    return states


def image_feature(images, state, stride, heads, blocks):
    """The class token after the last norm, ``(N, D)``."""
    patches = F.conv2d(images, state['conv1.weight'], stride=stride).flatten(2).transpose(1, 2)
    first = state['class_embedding'].expand(len(images), 1, -1)
    states = torch.cat([first, patches], 1) + state['positional_embedding']
    states = run_blocks(norm(states, state, 'ln_pre'), state, heads, False, blocks)
    return norm(states, state, 'ln_post')[:, 0]


def text_feature(ids, state, heads, blocks):
    """The end token after the last norm, ``(N, D)``."""
    states = F.embedding(ids, state['token_embedding.weight'])
    states = states + state['positional_embedding'][:ids.shape[1]]
    states = norm(run_blocks(states, state, heads, True, blocks), state, 'ln_final')
    places = [row.index(max(row)) for row in ids.tolist()]
    return torch.stack([row[place] for row, place in zip(states, places, strict=True)])
