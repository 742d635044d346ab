"""ViTs of the augreg release, Flax arrays."""

import numpy as np
import torch
from torch import Tensor

from mmtbps.errors import BadValue

from .base import Conversion, check_vit_shapes, expected_vit_keys
from .fit import refuse_leftovers
from .timm import CLASSIFIER

__all__ = ['vit_from_augreg']

#: A classifier, which no feature depends on.
_HARMLESS = ('head/', 'pre_logits/')


def vit_from_augreg(arrays: dict[str, np.ndarray]) -> Conversion:
    """Convert a ViT of the augreg release (Flax ``.npz``) to ``OverlapViT``.

    How to train your ViT?, https://arxiv.org/abs/2106.10270. Kernels are transposed, and query,
    key and value stacked.

    Args:
        arrays: name to array, as :func:`numpy.load` gives.

    Raises:
        ValueError: not such a file, or a ViT that ``OverlapViT`` cannot express.
    """
    if 'embedding/kernel' not in arrays:
        raise ValueError('this is not an augreg ViT: it has no embedding/kernel')
    left = dict(arrays)
    result = Conversion()

    def take(name: str, reshape=lambda array: array):
        if name not in left:
            raise BadValue(f'{name} is missing')
        result.used.append(name)
        return torch.from_numpy(np.ascontiguousarray(reshape(left.pop(name))))

    state = result.state_dict
    state['cls_token'] = take('cls')
    state['pos_embed'] = take('Transformer/posembed_input/pos_embedding')
    state['patch_embed.projection.weight'] = take(
        'embedding/kernel', lambda kernel: kernel.transpose(3, 2, 0, 1))
    state['patch_embed.projection.bias'] = take('embedding/bias')
    state['ln1.weight'] = take('Transformer/encoder_norm/scale')
    state['ln1.bias'] = take('Transformer/encoder_norm/bias')
    depth = len({key.split('/')[1] for key in arrays if key.startswith('Transformer/encoderblock')})
    for i in range(depth):
        block = _augreg_block(f'Transformer/encoderblock_{i}/', take)
        state.update({f'layers.{i}.{key}': value for key, value in block.items()})
    refuse_leftovers([key for key in left if not key.startswith(_HARMLESS)], 'OverlapViT')
    result.leave_out(list(left), CLASSIFIER)
    result.missing = [key for key in expected_vit_keys(state) if key not in state]
    check_vit_shapes(result)
    return result


def _augreg_block(prefix: str, take) -> dict[str, Tensor]:
    attention = prefix + 'MultiHeadDotProductAttention_1/'
    block = {}
    for ours, theirs in (('ln1', 'LayerNorm_0'), ('ln2', 'LayerNorm_2')):
        block[f'{ours}.weight'] = take(f'{prefix}{theirs}/scale')
        block[f'{ours}.bias'] = take(f'{prefix}{theirs}/bias')
    names = ('query', 'key', 'value')
    block['attn.qkv.weight'] = torch.cat([
        take(f'{attention}{name}/kernel', lambda k: k.reshape(k.shape[0], -1).T) for name in names])
    block['attn.qkv.bias'] = torch.cat([
        take(f'{attention}{name}/bias', lambda b: b.reshape(-1)) for name in names])
    block['attn.proj.weight'] = take(f'{attention}out/kernel',
                                     lambda k: k.reshape(-1, k.shape[-1]).T)
    block['attn.proj.bias'] = take(f'{attention}out/bias')
    for ours, theirs in (('ffn.layers.0.0', 'Dense_0'), ('ffn.layers.1', 'Dense_1')):
        block[f'{ours}.weight'] = take(f'{prefix}MlpBlock_3/{theirs}/kernel', lambda k: k.T)
        block[f'{ours}.bias'] = take(f'{prefix}MlpBlock_3/{theirs}/bias')
    return block
