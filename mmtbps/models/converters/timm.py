"""ViTs of timm."""

import re

from torch import Tensor

from .base import Conversion, collect_renamed, expected_vit_keys

__all__ = ['vit_from_timm']

_TIMM_NAMES = (
    (r'^patch_embed\.proj\.', 'patch_embed.projection.'),
    (r'^norm\.', 'ln1.'),
    (r'^blocks\.', 'layers.'),
    (r'(layers\.\d+)\.norm', r'\1.ln'),
    (r'\.mlp\.fc1\.', '.ffn.layers.0.0.'),
    (r'\.mlp\.fc2\.', '.ffn.layers.1.'),
)


def vit_from_timm(state: dict[str, Tensor]) -> Conversion:
    """Convert timm's ViT to ``OverlapViT``: a pure renaming.

    Args:
        state: timm's state dict, also as found under a ``model`` or ``state_dict`` key.

    Raises:
        ValueError: not a timm ViT.

    Example:
        >>> import torch
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
    expected = expected_vit_keys(dict.fromkeys(renamed.values()))
    if 'patch_embed.projection.bias' not in renamed.values():
        raise ValueError('this is not a timm ViT: it has no patch_embed.proj')
    return collect_renamed(state, renamed, expected)
