"""ViTs of timm."""

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from mmtbps.errors import BadValue

from .base import Conversion, check_vit_shapes, collect_renamed, expected_vit_keys
from .fit import refuse_leftovers

__all__ = ['CLASSIFIER', 'check_timm_config', 'vit_from_timm']

#: Why the classifier of a pretrained ViT is left out.
CLASSIFIER = 'classifier of ImageNet or other classes, not used'

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
    result.leave_out(result.unexpected, CLASSIFIER)
    check_vit_shapes(result)
    return result


def check_timm_config(config: Mapping[str, Any]) -> None:
    """Look into the ``config.json`` of a folder of timm for what its weights do not say.

    Raises:
        BadValue: the features are pooled from patches, or activation or norms are others.
    """
    if not isinstance(config.get('architecture'), str):
        return  # of something else in that folder
    further = config.get('model_args') or {}
    pool = further.get('global_pool', config.get('global_pool', 'token'))
    others = {key: further[key] for key in ('act_layer', 'norm_layer', 'mlp_layer', 'block_fn')
              if key in further}
    if pool not in ('token', '', None):
        others['global_pool'] = pool
    if 'quickgelu' in config['architecture']:
        others['architecture'] = config['architecture']
    for key, value in others.items():
        raise BadValue(f'{key} is {value!r} in its config.json, with which OverlapViT would '
                       'compute other features')


def _refuse_others(left: list[str], state: dict[str, Tensor]) -> None:
    """Refuse a ViT of another make, of which something would be lost."""
    refuse_leftovers([key for key in left if not _HARMLESS.match(key)], 'OverlapViT')
    for key, first in state.items():
        second = state.get(key.replace('.fc1.', '.fc2.'))
        if key.endswith('.mlp.fc1.weight') and second is not None and (
                len(first) == 2 * second.shape[-1]):
            raise BadValue(f'it has gated layers (SwiGLU), which OverlapViT cannot express: {key} '
                           f'makes {len(first)} numbers, of which half are gates')
