"""CLIP's towers under OpenAI's names of the weights, as most of the field publishes them."""

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from mmtbps.errors import BadValue

from .base import Conversion, ConversionOptions
from .fit import check_weights, drop_training_only
from .preprocessing import CLIP_COLORS, clip_pipeline, preprocessor

__all__ = ['convert_clip', 'tower_settings']

_WORDS = 49408  # entries of the vocabulary that ships with us
_TEXT_PARTS = ('token_embedding.', 'positional_embedding', 'transformer.', 'ln_final.',
               'text_projection')


def convert_clip(state: Mapping[str, Tensor], options: ConversionOptions, *, image: str = 'visual.',
                 text: str = '', image_size: tuple[int, int] | None = None,
                 training_only: Mapping[str, str] | None = None,
                 colors: tuple = CLIP_COLORS, interpolation: str = 'bicubic',
                 clean: str = 'clip', heads: tuple[int | None, int | None] = (None, None),
                 further_names: Mapping[str, str] | None = None,
                 overrides: Mapping[str, Mapping[str, Any]] | None = None) -> Conversion:
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
        further_names: our prefix for further prefixes of the checkpoint.
        overrides: settings of parts, in the place of those that the weights say or beside them.

    Raises:
        BadValue: it is another architecture, or its positions are for another image size.
    """
    result = _rename(state, image, text, further_names or {})
    drop_training_only(result, training_only or {})
    settings = tower_settings(result.state_dict, options, image_size, heads)
    for part, values in (overrides or {}).items():
        settings.setdefault(part, {}).update(values)
    result.model = dict(type='TextImageRetriever', data_preprocessor=preprocessor(*colors),
                        **settings)
    check_weights(result)
    widths = [settings[neck]['out_dims'] for neck in ('image_neck', 'text_neck')]
    if widths[0] != widths[1]:
        result.misshapen.append(f'images are projected to {widths[0]} dimensions, captions to '
                                f'{widths[1]}; they must be equal')
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


def _rename(state: Mapping[str, Tensor], image: str, text: str,
            further: Mapping[str, str]) -> Conversion:
    """Bring the weights of the towers to our names; all other keys are unexpected."""
    result = Conversion()
    for key, value in state.items():
        name = _our_name(key, image, text, further)
        if name is None:
            result.unexpected.append(key)
            continue
        result.used.append(key)
        # Published as x @ M, which a linear layer has transposed.
        result.state_dict[name] = value.T if name.endswith('_neck.projection.weight') else value
    return result


def _our_name(key: str, image: str, text: str, further: Mapping[str, str]) -> str | None:
    for theirs, ours in further.items():
        if key.startswith(theirs):
            return ours + key.removeprefix(theirs)
    if key.startswith(image):
        inside = key.removeprefix(image)
        return 'image_neck.projection.weight' if inside == 'proj' else f'image_backbone.{inside}'
    inside = key.removeprefix(text)
    if not key.startswith(text) or not inside.startswith(_TEXT_PARTS):
        return None
    return 'text_neck.projection.weight' if inside == 'text_projection' else (
        f'text_backbone.{inside}')


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
    # 64 numbers a head; the image towers from ViT-H on have 16 heads, which are wider.
    most = 16 if tower == 'image_backbone' else width
    settings = dict(width=width, depth=depth, heads=heads or max(1, min(most, width // 64)),
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
