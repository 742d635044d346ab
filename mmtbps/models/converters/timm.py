"""ViTs of timm."""

import re
from math import isqrt

from torch import Tensor

from mmtbps.errors import BadValue

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
# A classifier is left out; anything else that is left over changes what the network computes.
_HARMLESS = re.compile(r'(head|pre_logits)\.')
_REASONS = (
    (r'\.ls[12]\.|gamma', 'LayerScale'),
    (r'^norm_pre\.', 'a norm before the first layer'),
    (r'\.[qk]_norm\.', 'norms of queries and keys'),
    (r'reg_token|register', 'register tokens'),
    (r'dist_token|head_dist', 'a distillation token'),
    (r'^(fc_norm|attn_pool)', 'features pooled from patches, not read from the class token'),
)


def vit_from_timm(state: dict[str, Tensor]) -> Conversion:
    """Convert timm's ViT to ``OverlapViT``: a pure renaming.

    Args:
        state: timm's state dict, also as found under a ``model`` or ``state_dict`` key.

    Raises:
        BadValue: not a timm ViT, or one that ``OverlapViT`` cannot express.

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
        raise BadValue('this is not a timm ViT: it has no patch_embed.proj')
    result = collect_renamed(state, renamed, expected)
    _refuse_others(result.unexpected, state)
    return result


def _refuse_others(left: list[str], state: dict[str, Tensor]) -> None:
    """Refuse a ViT of another make, of which something would be lost."""
    places = state['pos_embed'].shape[-2] if 'pos_embed' in state else 0
    if places > 1 and isqrt(places) ** 2 == places:  # a square of patches and nothing more
        raise BadValue(f'pos_embed has {places} places: this ViT gives its class token none, which '
                       'OverlapViT cannot express')
    if strange := [key for key in left if not _HARMLESS.match(key)]:
        reason = next((reason for pattern, reason in _REASONS for key in strange
                       if re.search(pattern, key)), 'weights that OverlapViT has no place for')
        raise BadValue(f'this ViT has {reason}, without which it computes other features: '
                       f'{", ".join(strange[:3])}{", ..." if len(strange) > 3 else ""} '
                       f'({len(strange)} weights)')
