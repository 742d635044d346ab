"""Fit of converted weights: all that the model has, nothing else that a feature depends on."""

from collections.abc import Mapping

import torch

from mmtbps.errors import BadValue
from mmtbps.registry import MODELS

from .base import Conversion

__all__ = ['check_weights', 'drop_training_only']

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


def check_weights(result: Conversion, prefixes: tuple[str, ...] = ()) -> None:
    """Compare the weights with those of the model that the settings build, and note the misfits.

    Args:
        result: a conversion with settings, changed in place.
        prefixes: of the towers' halves in the source; keys without a place there are an error.

    Raises:
        BadValue: the towers hold weights that ours do not have.
    """
    with torch.device('meta'):
        settings = {key: value for key, value in result.model.items() if key != 'data_preprocessor'}
        expected = {name: tuple(value.shape)
                    for name, value in MODELS.build(settings).state_dict().items()}
    names = dict(zip(result.state_dict, result.used, strict=True))
    foreign = [key for name, key in names.items() if name not in expected]
    foreign += [key for key in result.unexpected
                if any(prefix and key.startswith(prefix) for prefix in prefixes)]
    if foreign:
        more = f' and {len(foreign) - 3} more' if len(foreign) > 3 else ''
        raise BadValue(f'its towers hold weights that ours do not have: '
                       f'{", ".join(foreign[:3])}{more}. Without them its features would be others')
    result.missing = [name for name in expected if name not in result.state_dict]
    result.misshapen = [
        f'{names[name]} is {tuple(value.shape)}, must be {expected[name]}'
        for name, value in result.state_dict.items() if tuple(value.shape) != expected[name]]
