"""Fit of converted weights: all that the model has, nothing else that a feature depends on."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from mmtbps.errors import BadValue
from mmtbps.registry import MODELS

from .base import Conversion

__all__ = ['check_weights', 'drop_training_only', 'refuse_leftovers', 'without_values']

#: Parts of networks that ours do not have, by their names in the libraries that publish them.
_PARTS = (
    (r'\.ls_?[12]\b|gamma|lambda_[12]|layer_scale|LayerScale', 'LayerScale'),
    (r'(^|\.)norm_pre\b', 'a norm before the first layer'),
    (r'[._](q|k|query|key)_(norm|layernorm)\b|\bln_[qk]\b|/(query|key)_norm',
     'norms of queries and keys'),
    (r'reg_token|register', 'register tokens'),
    (r'dist_token|head_dist|distillation', 'a distillation token'),
    (r'(^|\.)(fc_norm|attn_pool)|attentional_pool|MAPHead',
     'features pooled from patches, not read from the class token'),
    (r'rel_pos|relative_pos', 'tables of relative positions'),
    (r'(^|\.)rope\b|rotary|freqs_cis', 'rotary positions'),
    (r'\.mlp\.(w12|w[123]|fc1_[gx]|gate_proj|norm|c_gate)\b', 'gated layers (SwiGLU)'),
    (r'lora_|adapter', 'adapters'),
    (r'prompt|\bctx\b', 'learned prompts'),
    (r'patch_embed\.(backbone|norm)|conv_root|\bstem', 'another beginning than one convolution'))
_BUFFERS = ('attn_mask', 'position_ids')
_NUMBERS = dict(
    logit_scale='temperature of training; a score is a cosine',
    logit_bias='bias of training; a score is a cosine',
    input_resolution='a number of the archive, not a weight',
    context_length='a number of the archive, not a weight',
    vocab_size='a number of the archive, not a weight')


def drop_training_only(result: Conversion, reasons: Mapping[str, str]) -> None:
    """Move keys without a place, and buffers that are computed again, to those left out on purpose.

    Args:
        result: a conversion, changed in place.
        reasons: by the first or the only word of a key.
    """
    reasons = {**_NUMBERS, **reasons}
    for key in list(result.unexpected):
        reason = reasons.get(key.split('.')[0]) or reasons.get(key.split('.')[-1])
        if key.endswith(_BUFFERS):
            reason = 'a buffer that is computed again'
        if reason:
            result.unexpected.remove(key)
            result.dropped[key] = reason
    for name, key in list(zip(result.state_dict, result.used, strict=True)):
        if name.endswith(_BUFFERS):
            del result.state_dict[name]
            result.used.remove(key)
            result.dropped[key] = 'a buffer that is computed again'


def check_weights(result: Conversion) -> None:
    """Compare the weights with those of the model that the settings build, and note the misfits.

    Args:
        result: a conversion with settings, without what is left out on purpose; changed in place.

    Raises:
        BadValue: it holds weights that ours do not have.
    """
    with without_values():
        settings = {key: value for key, value in result.model.items() if key != 'data_preprocessor'}
        expected = {name: tuple(value.shape)
                    for name, value in MODELS.build(settings).state_dict().items()}
    names = dict(zip(result.state_dict, result.used, strict=True))
    foreign = [key for name, key in names.items() if name not in expected]
    foreign += result.unexpected
    refuse_leftovers(foreign)
    result.missing = [name for name in expected if name not in result.state_dict]
    result.misshapen = [
        f'{names[name]} is {tuple(value.shape)}, must be {expected[name]}'
        for name, value in result.state_dict.items() if tuple(value.shape) != expected[name]]


@contextmanager
def without_values() -> Iterator[None]:
    """Let models be built of shapes alone, which have no memory and are given no first values.

    Example:
        >>> with without_values():
        ...     layer = torch.nn.Linear(10**6, 10**6)
        >>> layer.weight.shape, layer.weight.is_meta
        (torch.Size([1000000, 1000000]), True)
    """
    with torch.device('meta'), _NoFirstValues():
        yield


class _NoFirstValues(TorchFunctionMode):
    """Mode in which ``torch.nn.init`` leaves shapes alone, for which it would take its time."""

    def __torch_function__(self, func: Callable, types: Sequence[type],
                           args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
                           ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, '__module__', None) == 'torch.nn.init' or (
                getattr(func, '__name__', None) in ('normal_', 'uniform_')):
            target = args[0] if args else kwargs['tensor']
            if target.is_meta:
                return target
        return func(*args, **kwargs)


def refuse_leftovers(keys: Sequence[str], target: str = 'our model') -> None:
    """Refuse weights without a place: without them the features would be others.

    Args:
        keys: of the source, without those that are known to be for training alone.
        target: what has no place for them.

    Raises:
        BadValue: there are such keys; it says of which part they are, where the name tells.

    Example:
        >>> refuse_leftovers(['blocks.0.ls1.gamma'])
        Traceback (most recent call last):
        mmtbps.errors.BadValue: it has LayerScale: blocks.0.ls1.gamma (1 weights). Without them \
its features would be others
    """
    if not keys:
        return
    part = next((part for pattern, part in _PARTS for key in keys if re.search(pattern, key)),
                f'weights that {target} has no place for')
    shown = ', '.join(keys[:3]) + (', ...' if len(keys) > 3 else '')
    raise BadValue(f'it has {part}: {shown} ({len(keys)} weights). Without them its features would '
                   'be others')
