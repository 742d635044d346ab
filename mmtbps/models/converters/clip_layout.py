"""CLIP's towers under OpenAI's names of the weights, as most of the field publishes them."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from mmtbps.errors import BadValue
from mmtbps.registry import MODELS

from .base import Conversion, ConversionOptions
from .preprocessing import CLIP_COLORS, clip_pipeline, preprocessor

__all__ = ['check_weights', 'convert_clip', 'drop_training_only', 'tower_settings']

_WORDS = 49408  # entries of the vocabulary that ships with us
_TEXT_PARTS = ('token_embedding.', 'positional_embedding', 'transformer.', 'ln_final.',
               'text_projection')
_BUFFERS = ('attn_mask', 'position_ids')
_NUMBERS = dict(
    logit_scale='temperature of training; a score is a cosine',
    logit_bias='bias of training; a score is a cosine',
    input_resolution='a number of the archive, not a weight',
    context_length='a number of the archive, not a weight',
    vocab_size='a number of the archive, not a weight')


def convert_clip(state: Mapping[str, Tensor], options: ConversionOptions, *, image: str = 'visual.',
                 text: str = '', image_size: tuple[int, int] | None = None,
                 training_only: Mapping[str, str] | None = None,
                 colors: tuple = CLIP_COLORS, interpolation: str = 'bicubic',
                 clean: str = 'clip', heads: tuple[int | None, int | None] = (None, None)
                 ) -> Conversion:
    """Convert CLIP towers to a ``TextImageRetriever`` of ours.

    Sizes are those of the weights. Weights inside the towers that ours do not have are an error,
    because they change the features.

    Args:
        state: the checkpoint.
        options: what the user knows of it.
        image: prefix of the image half.
        text: prefix of the text half.
        image_size: (height, width) that the checkpoint's positions are for; ``None`` for the square
            that they make.
        training_only: reasons to leave out keys, by their first word.
        colors: mean and standard deviation of the published preprocessing, 0-1.
        interpolation: of its resizing.
        clean: cleaning of its captions.
        heads: of the attention in the image and the text tower, where it is known.

    Raises:
        BadValue: it is another architecture, or its positions are for another image size.
    """
    result = Conversion()
    for key, value in state.items():
        name = _our_name(key, image, text)
        if name is None:
            result.unexpected.append(key)
            continue
        result.used.append(key)
        # Published as x @ M, which a linear layer has transposed.
        result.state_dict[name] = value.T if name.endswith('_neck.projection.weight') else value
    drop_training_only(result, {**_NUMBERS, **(training_only or {})})
    settings = tower_settings(result.state_dict, options, image_size, heads)
    result.model = dict(type='TextImageRetriever', data_preprocessor=preprocessor(*colors),
                        **settings)
    check_weights(result, (image, text))
    size = options.image_size or settings['image_backbone']['img_size']
    result.model['image_backbone'].update(
        img_size=size, stride=options.stride or settings['image_backbone']['stride'])
    result.pipeline = clip_pipeline(size, interpolation, clean,
                                    settings['text_backbone']['context_length'])
    words = settings['text_backbone']['vocab_size']
    result.no_folder = '' if words == _WORDS else (
        f'its vocabulary has {words} entries where that of CLIP has {_WORDS}, so it reads with '
        'another tokenizer')
    return result


def _our_name(key: str, image: str, text: str) -> str | None:
    if key.startswith(image):
        inside = key.removeprefix(image)
        return 'image_neck.projection.weight' if inside == 'proj' else f'image_backbone.{inside}'
    inside = key.removeprefix(text)
    if not key.startswith(text) or not inside.startswith(_TEXT_PARTS):
        return None
    return 'text_neck.projection.weight' if inside == 'text_projection' else (
        f'text_backbone.{inside}')


def drop_training_only(result: Conversion, reasons: Mapping[str, str]) -> None:
    """Move keys without a place, and buffers that are computed again, to those left out on purpose.

    Args:
        result: a conversion, changed in place.
        reasons: by the first or the only word of a key.
    """
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


# ------------------------------------------------------------------ sizes
def tower_settings(state: Mapping[str, Tensor], options: ConversionOptions,
                   image_size: tuple[int, int] | None = None,
                   heads: tuple[int | None, int | None] = (None, None)) -> dict[str, Any]:
    """Infer the settings of towers and necks from our weights of them.

    Args:
        state: with our names.
        options: what the user knows; a size of images only where ``image_size`` is given, because
            a square of positions is resized to it later.
        image_size: as in `convert_clip`.
        heads: as in `convert_clip`.

    Raises:
        BadValue: a weight that says a size is missing, or the positions are no such grid.
    """
    width, _, patch, _ = _shape(state, 'image_backbone.conv1.weight', 4)
    places, _ = _shape(state, 'image_backbone.positional_embedding', 2)
    words, text_width = _shape(state, 'text_backbone.token_embedding.weight', 2)
    length, _ = _shape(state, 'text_backbone.positional_embedding', 2)
    stride = patch
    if image_size is None:
        side = math.isqrt(places - 1)
        if side * side + 1 != places:
            raise BadValue(f'its {places - 1} patch positions are no square; is it fine-tuned for '
                           'person search? Then another kind reads it')
        image_size = (side * patch, side * patch)
    else:
        image_size, stride = options.image_size or image_size, options.stride or patch
        _check_grid(image_size, patch, stride, places)
    image = dict(type='CLIPVisionTower', patch_size=patch, img_size=image_size, stride=stride,
                 **_block_settings(state, 'image_backbone', width, heads[0], options))
    text = dict(type='CLIPTextTower', context_length=length, vocab_size=words,
                **_block_settings(state, 'text_backbone', text_width, heads[1], options))
    return dict(image_backbone=image, text_backbone=text,
                **{name: dict(type='ProjectionNeck',
                              out_dims=_shape(state, f'{name}.projection.weight', 2)[0])
                   for name in ('image_neck', 'text_neck')})


def _block_settings(state: Mapping[str, Tensor], tower: str, width: int, heads: int | None,
                    options: ConversionOptions) -> dict[str, Any]:
    prefix = f'{tower}.transformer.resblocks.'
    depth = 1 + max((int(key.removeprefix(prefix).split('.')[0]) for key in state
                     if key.startswith(prefix)), default=-1)
    inner = _shape(state, f'{prefix}0.mlp.c_fc.weight', 2)[0]
    # 64 numbers a head; the towers from ViT-H on have 16 heads, which are wider.
    settings = dict(width=width, depth=depth, heads=heads or max(1, min(16, width // 64)),
                    activation=options.activation)
    return settings if inner == 4 * width else dict(settings, mlp_width=inner)


def _shape(state: Mapping[str, Tensor], name: str, ndim: int) -> tuple[int, ...]:
    if name not in state:
        raise BadValue(f'{name} is missing, by which the size of the model would be known')
    if state[name].ndim != ndim:
        raise BadValue(f'{name} must have {ndim} dimensions, got {tuple(state[name].shape)}')
    return tuple(state[name].shape)


def _check_grid(size: tuple[int, int], patch: int, stride: int, places: int) -> None:
    rows, columns = ((side - patch) // stride + 1 for side in size)
    if rows * columns + 1 != places:
        raise BadValue(
            f'it has {places - 1} patch positions; images of {size[0]}x{size[1]} at stride '
            f'{stride} make {rows} x {columns} = {rows * columns}. Name its image size and stride')


# ------------------------------------------------------------------ fit
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
        raise BadValue(f'its towers hold weights that CLIP does not have: '
                       f'{", ".join(foreign[:3])}{more}. Without them its features would be others')
    result.missing = [name for name in expected if name not in result.state_dict]
    result.misshapen = [
        f'{names[name]} is {tuple(value.shape)}, must be {expected[name]}'
        for name, value in result.state_dict.items() if tuple(value.shape) != expected[name]]
