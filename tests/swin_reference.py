"""Swin by its published names, token by token: who reads whom is asked of each pair of patches."""

import torch
import torch.nn.functional as F
from clip_reference import linear, norm

#: Sizes of a Swin whose last stage is narrower than a window, and whose first has shifted windows.
SIZES = dict(img_size=(64, 32), patch_size=4, width=8, depths=(2, 2, 2), heads=(2, 4, 4), window=4)


def published_swin(draw, prefix='', width=8, depths=(2, 2, 2), heads=(2, 4, 4),
                   windows=(4, 4, 2), patch=4):
    """A state dict under Microsoft's names, with the buffers that it keeps."""
    state = {f'{prefix}patch_embed.proj.weight': draw.matrix(width, 3, patch, patch),
             f'{prefix}patch_embed.proj.bias': draw.bias(width),
             **draw.norm(f'{prefix}patch_embed.norm', width)}
    for stage, depth in enumerate(depths):
        own, side = width << stage, windows[stage]
        for block in range(depth):
            name = f'{prefix}layers.{stage}.blocks.{block}'
            state |= {**draw.norm(f'{name}.norm1', own), **draw.norm(f'{name}.norm2', own),
                      **draw.linear(f'{name}.attn.qkv', 3 * own, own),
                      **draw.linear(f'{name}.attn.proj', own, own),
                      **draw.linear(f'{name}.mlp.fc1', 4 * own, own),
                      **draw.linear(f'{name}.mlp.fc2', own, 4 * own),
                      f'{name}.attn.relative_position_bias_table':
                          draw.table((2 * side - 1)**2, heads[stage]),
                      f'{name}.attn.relative_position_index':
                          torch.zeros(side**2, side**2, dtype=torch.long)}
            if block % 2:
                state[f'{name}.attn_mask'] = torch.zeros(2, side**2, side**2)
        if stage < len(depths) - 1:
            merging = f'{prefix}layers.{stage}.downsample'
            state |= draw.norm(f'{merging}.norm', 4 * own)
            state[f'{merging}.reduction.weight'] = draw.matrix(2 * own, 4 * own)
    return state | draw.norm(f'{prefix}norm', width << len(depths) - 1)


def bias_of_pairs(table, size, window, shift):
    """Bias of every pair of patches, ``(HW, HW, heads)``; minus infinity where none is read."""
    rows, columns = size
    bias = torch.full((rows * columns, rows * columns, table.shape[1]), float('-inf'))
    for query in range(rows * columns):
        for key in range(rows * columns):
            places = [divmod(token, columns) for token in (query, key)]
            moved = [[(place - shift) % length for place, length in zip(token, size, strict=True)]
                     for token in places]
            # What came around the edge is no neighbour, though it lies in the window.
            if any(a // window != b // window for a, b in zip(*moved, strict=True)):
                continue
            if any((a < shift) != (b < shift) for a, b in zip(*places, strict=True)):
                continue
            down, right = (a - b for a, b in zip(*moved, strict=True))
            bias[query, key] = table[(down + window - 1) * (2 * window - 1) + right + window - 1]
    return bias


def swin_tokens(pixels, state, depths=(2, 2, 2), heads=(2, 4, 4), window=4, patch=4):
    """All tokens with their mean before them, ``(N, 1 + P, D)``."""
    states = F.conv2d(pixels, state['patch_embed.proj.weight'], state['patch_embed.proj.bias'],
                      stride=patch)
    size = tuple(states.shape[2:])
    states = norm(states.flatten(2).transpose(1, 2), state, 'patch_embed.norm')
    for stage, depth in enumerate(depths):
        for block in range(depth):
            side = min(window, *size)
            shift = side // 2 if block % 2 and min(size) > window else 0
            states = one_block(states, state, f'layers.{stage}.blocks.{block}', heads[stage],
                               size, side, shift)
        if stage < len(depths) - 1:
            states, size = merged(states, state, f'layers.{stage}.downsample', size)
    states = norm(states, state, 'norm')
    return torch.cat([states.mean(1, keepdim=True), states], 1)


def one_block(states, state, name, heads, size, window, shift):
    bias = bias_of_pairs(state[f'{name}.attn.relative_position_bias_table'], size, window, shift)
    query, key, value = linear(norm(states, state, f'{name}.norm1'), state,
                               f'{name}.attn.qkv').chunk(3, -1)
    width, read = states.shape[-1] // heads, []
    for head in range(heads):
        own = slice(head * width, (head + 1) * width)
        scores = query[..., own] @ key[..., own].transpose(1, 2) / width**0.5
        read.append((scores + bias[..., head]).softmax(-1) @ value[..., own])
    states = states + linear(torch.cat(read, -1), state, f'{name}.attn.proj')
    hidden = F.gelu(linear(norm(states, state, f'{name}.norm2'), state, f'{name}.mlp.fc1'))
    return states + linear(hidden, state, f'{name}.mlp.fc2')


def merged(states, state, name, size):
    rows, columns = size
    four = []
    for row in range(0, rows, 2):
        for column in range(0, columns, 2):
            four.append(torch.cat([states[:, (row + down) * columns + column + right]
                                   for right in (0, 1) for down in (0, 1)], -1))
    four = norm(torch.stack(four, 1), state, f'{name}.norm')
    return four @ state[f'{name}.reduction.weight'].T, (rows // 2, columns // 2)
