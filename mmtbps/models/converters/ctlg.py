"""Foreign checkpoints in our names: timm / augreg ViT, and the official CTLG models."""

import re
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

__all__ = ['Conversion', 'vit_from_timm', 'vit_from_augreg', 'retriever_from_ctlg']

_STEM = ('cls_token', 'pos_embed', 'patch_embed.projection.weight', 'patch_embed.projection.bias',
         'ln1.weight', 'ln1.bias')
_BLOCK = tuple(f'{part}.{kind}' for part in (
    'ln1', 'attn.qkv', 'attn.proj', 'ln2', 'ffn.layers.0.0', 'ffn.layers.1')
    for kind in ('weight', 'bias'))
_TIMM_NAMES = (
    (r'^patch_embed\.proj\.', 'patch_embed.projection.'),
    (r'^norm\.', 'ln1.'),
    (r'^blocks\.', 'layers.'),
    (r'(layers\.\d+)\.norm', r'\1.ln'),
    (r'\.mlp\.fc1\.', '.ffn.layers.0.0.'),
    (r'\.mlp\.fc2\.', '.ffn.layers.1.'),
)


@dataclass
class Conversion:
    """A converted state dict, and what became of every key.

    Attributes:
        state_dict: ours.
        used: source keys that were taken.
        missing: keys of ours that the source lacks.
        unexpected: source keys without a place, such as a classifier.
    """

    state_dict: dict[str, Tensor] = field(default_factory=dict)
    used: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)

    def report(self) -> str:
        """A few lines for people."""
        lines = [f'used {len(self.used)} keys, missing {len(self.missing)}, '
                 f'unexpected {len(self.unexpected)}']
        lines += [f'  missing: {key}' for key in self.missing]
        lines += [f'  unexpected: {key}' for key in self.unexpected]
        return '\n'.join(lines)


def _vit_keys(state: dict) -> list[str]:
    layers = {int(m.group(1)) for key in state if (m := re.match(r'layers\.(\d+)\.', key))}
    depth = max(layers, default=-1) + 1
    return [*_STEM, *(f'layers.{i}.{key}' for i in range(depth) for key in _BLOCK)]


def vit_from_timm(state: dict[str, Tensor]) -> Conversion:
    """timm's ViT to ``OverlapViT``: a pure renaming.

    Args:
        state: timm's state dict, also as found under a ``model`` or ``state_dict`` key.

    Raises:
        ValueError: not a timm ViT.

    Example:
        >>> vit_from_timm({'norm.weight': torch.ones(1), 'patch_embed.proj.bias': torch.ones(1)}
        ...               ).used
        ['norm.weight', 'patch_embed.proj.bias']
    """
    renamed = {}
    for key in state:
        name = key
        for pattern, replacement in _TIMM_NAMES:
            name = re.sub(pattern, replacement, name)
        renamed[key] = name
    expected = _vit_keys(dict.fromkeys(renamed.values()))
    if 'patch_embed.projection.bias' not in renamed.values():
        raise ValueError('this is not a timm ViT: it has no patch_embed.proj')
    return _collect(state, renamed, expected)


def _collect(state: dict[str, Tensor], renamed: dict[str, str], expected: list[str]) -> Conversion:
    wanted = set(expected)
    result = Conversion()
    for key, name in renamed.items():
        if name in wanted:
            result.state_dict[name] = state[key]
            result.used.append(key)
        else:
            result.unexpected.append(key)
    result.missing = [name for name in expected if name not in result.state_dict]
    return result


def vit_from_augreg(arrays: dict[str, np.ndarray]) -> Conversion:
    """A ViT of the augreg release (Flax ``.npz``) to ``OverlapViT``.

    How to train your ViT?, https://arxiv.org/abs/2106.10270. Kernels are transposed, and query,
    key and value stacked.

    Args:
        arrays: name to array, as :func:`numpy.load` gives.

    Raises:
        ValueError: not such a file.
    """
    if 'embedding/kernel' not in arrays:
        raise ValueError('this is not an augreg ViT: it has no embedding/kernel')
    left = dict(arrays)
    result = Conversion()

    def take(name: str, reshape=lambda array: array):
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
    result.unexpected = list(left)
    result.missing = [key for key in _vit_keys(state) if key not in state]
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


def retriever_from_ctlg(state: dict[str, Tensor]) -> Conversion:
    """An official CTLG checkpoint to ``TextImageRetriever`` with ViT and BERT towers.

    Args:
        state: its state dict, keys ``module.model_img.*`` and ``module.model_txt.*`` (the
            ``module.`` of DataParallel may be missing).

    Raises:
        ValueError: one of the towers is not there.
    """
    short = {key.removeprefix('module.'): key for key in state}
    image_prefix = _prefix_before(short, 'model_img', 'patch_embed.proj.weight')
    text_prefix = _prefix_before(short, 'model_txt', 'embeddings.word_embeddings.weight')
    image = vit_from_timm({name.removeprefix(image_prefix): state[key]
                           for name, key in short.items() if name.startswith(image_prefix)})
    result = Conversion(missing=[f'image_backbone.{key}' for key in image.missing])
    result.state_dict = {f'image_backbone.{k}': v for k, v in image.state_dict.items()}
    taken = {image_prefix + key for key in image.used}
    for name, key in short.items():
        inside = name.removeprefix(text_prefix)
        if name.startswith(text_prefix) and inside.split('.')[0] in (
                'embeddings', 'encoder', 'pooler'):
            taken.add(name)
            if not inside.endswith('position_ids'):  # a constant that transformers 5 dropped
                result.state_dict[f'text_backbone.bert.{inside}'] = state[key]
    result.used = [key for name, key in short.items() if name in taken]
    result.unexpected = [key for name, key in short.items() if name not in taken]
    return result


def _prefix_before(names: dict[str, str], tower: str, landmark: str) -> str:
    for name in names:
        if name.startswith(tower + '.') and name.endswith(landmark):
            return name.removesuffix(landmark)
    raise ValueError(f'this is not a CTLG checkpoint: no {tower}.*.{landmark}')
