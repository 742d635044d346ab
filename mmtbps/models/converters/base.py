"""A converted checkpoint, key by key."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isqrt
from typing import Any

from torch import Tensor

from mmtbps.errors import BadValue

__all__ = ['Conversion', 'ConversionOptions', 'abridge', 'check_vit_shapes',
           'collect_renamed', 'expected_vit_keys']

_STEM = ('cls_token', 'pos_embed', 'patch_embed.projection.weight', 'patch_embed.projection.bias',
         'ln1.weight', 'ln1.bias')
_BLOCK = tuple(f'{part}.{kind}' for part in (
    'ln1', 'attn.qkv', 'attn.proj', 'ln2', 'ffn.layers.0.0', 'ffn.layers.1')
    for kind in ('weight', 'bias'))


@dataclass(frozen=True)
class ConversionOptions:
    """Facts on a model that its checkpoint does not hold, as the user knows them.

    Args:
        image_size: (height, width) in pixels; by default that of the publication.
        stride: step between patches in pixels; by default that of the publication.
        activation: ``'quick_gelu'`` or ``'gelu'``; by default that of the publication, if it has
            but one.
        config: of a training of ours.
        select_ratio: share of the tokens that RDE selects; by default that of the publication.
        data_set: that APTM was trained on, ``'cuhk'``, ``'icfg'`` or ``'rstp'``, whose colors it
            takes.
        tokenizer: folder or hub name of the tokenizer, where none ships here.
        max_length: tokens of a caption; by default that of the publication.
    """

    image_size: tuple[int, int] | None = None
    stride: int | None = None
    activation: str | None = None
    config: dict[str, Any] | None = None
    select_ratio: float | None = None
    data_set: str | None = None
    tokenizer: str | None = None
    max_length: int | None = None


@dataclass
class Conversion:
    """A converted state dict, and what became of every key.

    Attributes:
        state_dict: ours.
        used: source keys that were taken.
        dropped: source keys that were left out on purpose, with the reason.
        missing: keys of ours that the source lacks.
        unexpected: source keys without a place.
        misshapen: lines on weights of another shape than the model's.
        model: settings of the retriever that the weights are for; ``None`` if they are of a tower
            alone.
        pipeline: settings of the published test pipeline.
        heads: weights of heads of ours, by which galleries of earlier versions know a model.
        inputs: that the source notes of its training, see `mmtbps.models.trained_inputs`.
        no_folder: why no model folder can be made of it; empty if one can.
    """

    state_dict: dict[str, Tensor] = field(default_factory=dict)
    used: list[str] = field(default_factory=list)
    dropped: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    misshapen: list[str] = field(default_factory=list)
    model: dict[str, Any] | None = None
    pipeline: list[dict[str, Any]] | None = None
    heads: dict[str, Tensor] = field(default_factory=dict)
    inputs: dict[str, Any] = field(default_factory=dict)
    no_folder: str = 'it has no tokenizer and no settings'

    @property
    def complete(self) -> bool:
        """True if the model gets every weight, in its shape."""
        return not self.missing and not self.misshapen

    def leave_out(self, keys: Sequence[str], reason: str) -> None:
        """Note source keys without a place as left out on purpose.

        Example:
            >>> result = Conversion(unexpected=['head.weight'])
            >>> result.leave_out(['head.weight'], 'a classifier')
            >>> result.unexpected, result.dropped
            ([], {'head.weight': 'a classifier'})
        """
        self.dropped |= dict.fromkeys(keys, reason)
        self.unexpected = [key for key in self.unexpected if key not in self.dropped]

    def report(self) -> str:
        """Name every key of the source, and every one that it lacks; a few lines for people."""
        lines = [f'used {len(self.used)} keys, dropped {len(self.dropped)}, '
                 f'missing {len(self.missing)}, unexpected {len(self.unexpected)}']
        lines += [f'  used: {pattern}' for pattern in abridge(self.used)]
        for reason in dict.fromkeys(self.dropped.values()):
            keys = [key for key, why in self.dropped.items() if why == reason]
            lines += [f'  dropped ({reason}): {pattern}' for pattern in abridge(keys)]
        lines += [f'  missing: {key}' for key in self.missing]
        lines += [f'  of another shape: {line}' for line in self.misshapen]
        lines += [f'  unexpected: {key}' for key in self.unexpected]
        return '\n'.join(lines)


def abridge(keys: Sequence[str]) -> list[str]:
    """Write keys that differ in one number as one, with the numbers in braces.

    Example:
        >>> abridge(['blocks.0.bias', 'blocks.1.bias', 'norm.bias', 'blocks.3.bias'])
        ['blocks.{0-1,3}.bias', 'norm.bias']
    """
    numbers: dict[str, list[int]] = {}
    for key in keys:
        match = re.search(r'(?<=\.)\d+(?=\.)', key)
        pattern = f'{key[:match.start()]}{{}}{key[match.end():]}' if match else key
        numbers.setdefault(pattern, []).extend([int(match[0])] if match else [])
    return [pattern.replace('{}', _braces(sorted(found))) if found else pattern
            for pattern, found in numbers.items()]


def _braces(numbers: list[int]) -> str:
    if len(numbers) == 1:
        return str(numbers[0])
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return '{' + ','.join(str(first) if first == last else f'{first}-{last}'
                          for first, last in runs) + '}'


def expected_vit_keys(state: dict) -> list[str]:
    """List the keys of an ``OverlapViT`` with as many layers as a state dict has."""
    layers = {int(m.group(1)) for key in state if (m := re.match(r'layers\.(\d+)\.', key))}
    depth = max(layers, default=-1) + 1
    return [*_STEM, *(f'layers.{i}.{key}' for i in range(depth) for key in _BLOCK)]


def collect_renamed(state: dict[str, Tensor], renamed: dict[str, str],
                    expected: list[str]) -> Conversion:
    """Collect the weights that have a place, and note what became of every key.

    Args:
        state: the source.
        renamed: our name of each source key.
        expected: all names that the target has.
    """
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


def check_vit_shapes(result: Conversion) -> None:
    """Compare the shapes of a ViT's weights with each other, and note the misfits.

    Args:
        result: with the names of ``OverlapViT``; changed in place.

    Raises:
        BadValue: the class token has no place in the position embedding, or images have another
            number of channels than three.
    """
    state, names = result.state_dict, dict(zip(result.state_dict, result.used, strict=False))
    table, kernel = state.get('pos_embed'), state.get('patch_embed.projection.weight')
    if table is None or kernel is None or kernel.ndim != 4:
        return
    width, places = len(kernel), table.shape[-2] if table.ndim > 1 else 0
    if places > 1 and isqrt(places) ** 2 == places:  # a square of patches and nothing more
        raise BadValue(f'pos_embed has {places} places: this ViT gives its class token none, which '
                       'OverlapViT cannot express')
    if kernel.shape[1] != 3:
        raise BadValue(f'its images have {kernel.shape[1]} channels, ours have 3')
    hidden = state.get('layers.0.ffn.layers.0.0.bias', kernel).shape[0]
    expected = {'cls_token': (1, 1, width), 'pos_embed': (1, places, width)}
    for name, value in state.items():
        rows = (3 * width if '.qkv.' in name else hidden if '.ffn.layers.0.0.' in name else width)
        columns = hidden if '.ffn.layers.1.' in name else width
        shape = expected.get(name) or (rows, columns)[:2 if value.ndim == 2 else 1]
        if 'patch_embed' not in name and tuple(value.shape) != shape:
            result.misshapen.append(f'{names.get(name, name)} is {tuple(value.shape)}, must be '
                                    f'{shape}')
