"""Cross-encoders under the names of ALBEF's family: a ViT, BERT that reads images."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from mmtbps.errors import BadValue

from .base import Conversion, ConversionOptions
from .bert_tokenizer import BERT_TOKENIZER, tokenizer_obstacle
from .fit import check_weights
from .preprocessing import preprocessor, published_pipeline
from .timm import vit_from_timm

__all__ = ['Reading', 'describe', 'rename', 'take_vit', 'text_settings']

_HEADS = 64  # numbers a head of the attention
_SPEAK_FOR_THEMSELVES = {
    r'(.*\.)?(position_ids|relative_position_index|attn_mask)$': 'a buffer that is computed again',
    r'temp$': 'temperature of training; a score is a cosine'}


@dataclass(frozen=True)
class Reading:
    """Published preprocessing of captions and pictures.

    Args:
        colors: mean and standard deviation, 0-1.
        max_length: tokens of a caption, special ones included.
        clean: cleaning of captions, see `mmtbps.lexicon.caption_cleaning`.
    """

    colors: tuple
    max_length: int
    clean: str | None


def rename(state: Mapping[str, Tensor], names: Mapping[str, str],
           dropped: Mapping[str, str]) -> Conversion:
    """Bring weights to our names by their prefixes, and set aside those that only train.

    Args:
        state: the checkpoint.
        names: our prefix for each of theirs; the first that fits counts.
        dropped: reasons by patterns that match the beginning of a key. They go first.

    Example:
        >>> result = rename(dict.fromkeys(['a.b', 'temp', 'c']), {'a.': 'ours.'}, {})
        >>> result.state_dict, list(result.dropped), result.unexpected
        ({'ours.b': None}, ['temp'], ['c'])
    """
    result = Conversion()
    reasons = {**_SPEAK_FOR_THEMSELVES, **dropped}
    for key, value in state.items():
        reason = next((reason for pattern, reason in reasons.items() if re.match(pattern, key)),
                      None)
        prefix = next((prefix for prefix in names if key.startswith(prefix)), None)
        if reason:
            result.dropped[key] = reason
        elif prefix is None:
            result.unexpected.append(key)
        else:
            result.used.append(key)
            result.state_dict[names[prefix] + key.removeprefix(prefix)] = value
    return result


def take_vit(result: Conversion, options: ConversionOptions) -> dict[str, Any]:
    """Bring the weights of ``image_backbone.`` from timm's names to ours; return its settings.

    Positions that make a square are resized to the size that is named, on loading, as where a
    training goes on at another size: bicubic, as in the code of the family.

    Args:
        result: weights under ``image_backbone.`` and timm's names; changed in place.
        options: image size that the user knows.

    Raises:
        BadValue: it is another ViT, or its positions make no grid of patches.
    """
    prefix = 'image_backbone.'
    sources = dict(zip(result.state_dict, result.used, strict=True))
    inside = {name.removeprefix(prefix): value for name, value in result.state_dict.items()
              if name.startswith(prefix)}
    tower = vit_from_timm(inside)
    result.unexpected += [sources[prefix + key] for key in tower.unexpected]
    state = {name: value for name, value in result.state_dict.items()
             if not name.startswith(prefix)}
    used = [sources[name] for name in state]
    result.state_dict = {**{prefix + name: value for name, value in tower.state_dict.items()},
                         **state}
    result.used = [sources[prefix + key] for key in tower.used] + used
    if tower.missing:
        raise BadValue(f'its image tower lacks {tower.missing[0]} ({len(tower.missing)} weights)')
    state = tower.state_dict
    width, _, patch, _ = state['patch_embed.projection.weight'].shape
    depth = len({name.split('.')[1] for name in state if name.startswith('layers.')})
    arch = dict(embed_dims=width, num_layers=depth, num_heads=max(1, width // _HEADS),
                feedforward_channels=len(state['layers.0.ffn.layers.0.0.bias']))
    size = _image_size(state['pos_embed'].shape[1] - 1, patch, options.image_size)
    return dict(type='OverlapViT', arch=arch, img_size=size, patch_size=patch, stride=patch,
                interpolate_mode='bicubic')


def _image_size(places: int, patch: int, named: tuple[int, int] | None) -> tuple[int, int]:
    """Find the image size that stored positions are for."""
    if named and (named[0] // patch) * (named[1] // patch) == places:
        return named
    side = math.isqrt(places)
    if side * side != places:
        raise BadValue(f'it has {places} patch positions of {patch} pixels, which are no square'
                       + (f' and not those of {named[0]}x{named[1]}' if named else '')
                       + '. Name its image size')
    return side * patch, side * patch


def text_settings(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """Infer the settings of ``FusionBERT`` from our weights of it.

    Raises:
        BadValue: a weight that says a size is missing, or no layer has cross-attention.
    """
    def shape(name: str, *others: str) -> tuple[int, ...]:
        found = state.get(f'text_backbone.{name}')
        if found is None:
            raise BadValue(f'{name} of its text encoder is missing, by which the size of the model '
                           'would be known')
        return tuple(found.shape)

    words, width = shape('embeddings.word_embeddings.weight')
    layers = {int(match[1]) for name in state
              if (match := re.match(r'text_backbone\.encoder\.layer\.(\d+)\.', name))}
    fused = sorted(i for i in layers if f'text_backbone.encoder.layer.{i}.crossattention.self.key.'
                   'weight' in state)
    if not fused:
        raise BadValue('no layer of its text encoder has cross-attention: it is no cross-encoder')
    segments = state.get('text_backbone.embeddings.token_type_embeddings.weight')
    settings = dict(
        type='FusionBERT', width=width, depth=max(layers) + 1, heads=max(1, width // _HEADS),
        mlp_width=shape('encoder.layer.0.intermediate.dense.weight')[0],
        text_layers=fused[0] or None, vocab_size=words,
        image_dims=shape(f'encoder.layer.{fused[0]}.crossattention.self.key.weight')[1],
        context_length=shape('embeddings.position_embeddings.weight')[0],
        segments=0 if segments is None else len(segments))
    return settings if fused[0] else dict(settings, fusion_token=words - 1)


def describe(result: Conversion, options: ConversionOptions, image: dict[str, Any],
             reading: Reading) -> None:
    """Write the settings of model and pipeline, and compare the weights with them.

    Args:
        result: with our names, without what is left out on purpose; changed in place.
        options: as the user knows the checkpoint.
        image: settings of the image tower, for the size of the stored weights.
        reading: published preprocessing.

    Raises:
        BadValue: the checkpoint has weights without a place, or no projections.
    """
    state = result.state_dict
    hidden = state.get('match_head.0.weight')
    tokenizer = options.tokenizer or BERT_TOKENIZER
    text = text_settings(state)
    widths = [len(state[name]) for side in ('image', 'text')
              if (name := f'{side}_neck.projection.weight') in state]
    if not widths:
        raise BadValue('it has neither vision_proj nor text_proj, whose cosine is its first score')
    result.model = dict(
        type='CrossEncoderRetriever', data_preprocessor=preprocessor(*reading.colors),
        image_backbone=image, text_backbone=text,
        **{f'{side}_neck': dict(type='ProjectionNeck', out_dims=widths[0], bias=True)
           for side in ('image', 'text')},
        match_dims=None if hidden is None else len(hidden))
    check_weights(result)
    size = image['img_size']
    if options.image_size:
        size = image['img_size'] = options.image_size
    result.pipeline = published_pipeline(size, 'bicubic', dict(
        tokenizer=tokenizer, max_length=options.max_length or reading.max_length,
        clean=reading.clean))
    result.no_folder = tokenizer_obstacle(tokenizer, text['vocab_size'])
