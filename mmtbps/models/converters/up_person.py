"""UP-Person: CLIP with prefixes, low-rank keys and values, and adapters."""

import re
from collections.abc import Mapping, MutableMapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from mmtbps.errors import BadValue
from mmtbps.models.peft import merge_rows

from .base import Conversion, ConversionOptions
from .clip_layout import convert_clip
from .irra import IMAGE_SIZE, TRAINING_ONLY
from .source import Source

__all__ = ['convert_up_person']

_BLOCKS = 'transformer.resblocks.'
#: Theirs by tower of ours: the tower, its prefixes, its low-rank adapters.
_PLACES = dict(
    image_backbone=('base_model.visual.', 'vit_prefix_learner.vit_prefix.',
                    'LORA_learner.lora_image.'),
    text_backbone=('base_model.', 'text_prefix_learner.text_prefix.', 'LORA_learner.lora_text.'))
_PREFIX = {'key.tokens': 'key_tokens', 'key.scaler.scale': 'key_scale',
           'val.tokens': 'value_tokens', 'val.scaler.scale': 'value_scale',
           'scale_to_grad': 'mass_scale'}
_ADAPTERS = {'adapter_ln_msa.': 'ln_1.adapter.', 'scale_1': 'ln_1.adapter.scale',
             'adapter_ln_mlp.': 'ln_2.adapter.', 'scale_2': 'ln_2.adapter.scale'}
#: Attention is given its prefix in the first forward, and stores it a second time.
_COPIES = re.compile(r'base_model\.(visual\.)?transformer\.resblocks\.\d+\.attn\.prefix\.')


def convert_up_person(source: Source, options: ConversionOptions) -> Conversion:
    """Convert a model of UP-Person.

    UP-Person: Unified Parameter-Efficient Transfer Learning for Text-based Person Retrieval,
    https://arxiv.org/abs/2504.10084. Low-rank adapters are merged into keys and values; prefixes
    and adapters become parts of ours (:func:`~mmtbps.models.peft.add_parts`), of which the model
    has those that the file has.

    Raises:
        BadValue: it is another layout, or for another size of images than is named.
    """
    copies = {key: 'a second copy of a prefix' for key in source.state if _COPIES.match(key)}
    state = {key: value for key, value in source.state.items() if key not in copies}
    further = _further_names(state)
    peft = _part_settings(state)
    merged = _merge_low_rank(state)
    if not further and not merged:
        raise BadValue('this is no UP-Person: it has no prefixes, adapters and low-rank adapters')
    result = convert_clip(
        state, replace(options, activation=options.activation or 'quick_gelu'),
        image='base_model.visual.', text='base_model.', image_size=IMAGE_SIZE,
        training_only=TRAINING_ONLY, interpolation='bilinear', further_names=further,
        overrides=dict(peft=peft) if peft else None)
    result.used += merged
    result.dropped.update(copies)
    return result


def _further_names(state: Mapping[str, Tensor]) -> dict[str, str]:
    """Return our names of the prefixes and adapters that a checkpoint has."""
    names = {}
    for ours, (theirs, prefixes, _) in _PLACES.items():
        for key in state:
            if key.startswith(prefixes):
                number, _, part = key.removeprefix(prefixes).partition('.')
                if part in _PREFIX:
                    names[key] = f'{ours}.{_BLOCKS}{number}.attn.prefix.{_PREFIX[part]}'
            elif key.startswith(theirs + _BLOCKS):
                number, _, part = key.removeprefix(theirs + _BLOCKS).partition('.')
                for start, place in _ADAPTERS.items():
                    if part.startswith(start):
                        names[key] = (f'{ours}.{_BLOCKS}{number}.{place}'
                                      f'{part.removeprefix(start)}')
    return names


def _part_settings(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return settings of the parts that a checkpoint keeps, by the shapes of the image tower."""
    tower, prefixes, _ = _PLACES['image_backbone']
    tokens = state.get(f'{prefixes}0.key.tokens')
    down = state.get(f'{tower}{_BLOCKS}0.adapter_ln_msa.down.weight')
    settings = {}
    if tokens is not None:
        settings['prefix'] = dict(length=len(tokens))
    if down is not None:
        settings['adapter'] = dict(reduction=max(1, down.shape[1] // max(1, len(down))))
    return settings


def _merge_low_rank(state: MutableMapping[str, Tensor]) -> list[str]:
    """Merge the low-rank adapters of keys and values, in place; returns the names that went.

    Raises:
        BadValue: some of a layer are missing, or their sizes are others.
    """
    gone: list[str] = []
    for tower, _, adapters in _PLACES.values():
        numbers = {key.removeprefix(adapters).partition('.')[0] for key in state
                   if key.startswith(adapters)}
        for number in sorted(numbers):
            own = [f'{adapters}{number}.{kind}' for kind in (
                *(f'{name}.{part}' for name in ('lora_A', 'lora_B') for part in (0, 1)),
                'scale.0.scale', 'scale.1.scale')]
            weight = f'{tower}{_BLOCKS}{number}.attn.in_proj_weight'
            if absent := [key for key in (*own, weight) if key not in state]:
                raise BadValue(f'{absent[0]} is missing, and low-rank adapters beside it are not')
            down, up, scale = (torch.stack([state.pop(own[i]), state.pop(own[i + 1])])
                               for i in (0, 2, 4))
            width = state[weight].shape[-1]
            if up.shape[:2] != (2, width) or down.shape != (2, up.shape[-1], width):
                raise BadValue(f'{own[0]} and {own[2]} are {tuple(down.shape[1:])} and '
                               f'{tuple(up.shape[1:])}; a width of {width} needs (rank, {width}) '
                               f'and ({width}, rank)')
            state[weight] = merge_rows(state[weight], down, up, scale)
            gone += own
    return gone
