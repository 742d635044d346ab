"""Preprocessing that published models were trained with, as settings of ours."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from mmtbps.errors import BadValue

__all__ = ['CLIP_COLORS', 'IMAGENET_COLORS', 'INTERPOLATIONS', 'clip_pipeline', 'preprocessor',
           'published_pipeline', 'read_colors']

#: Mean and standard deviation of red, green and blue, 0-1.
CLIP_COLORS = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
#: Names of Pillow's filters by the numbers that transformers writes.
INTERPOLATIONS = {0: 'nearest', 1: 'lanczos', 2: 'bilinear', 3: 'bicubic'}
IMAGENET_COLORS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def read_colors(settings: Mapping[str, Any], mean: str, std: str,
                default: tuple = CLIP_COLORS) -> tuple:
    """Read mean and deviation of the colors, 0-1; the default ones where they are not said.

    Args:
        settings: of an image processor.
        mean: key of the first.
        std: key of the second.
        default: mean and deviation.

    Raises:
        BadValue: they are not three numbers each, or a deviation is not above 0.

    Example:
        >>> read_colors(dict(image_mean=[.5, .5, .5]), 'image_mean', 'image_std')
        ((0.5, 0.5, 0.5), (0.26862954, 0.26130258, 0.27577711))
    """
    found = [settings.get(key, values) for key, values in zip((mean, std), default, strict=True)]
    for key, values in zip((mean, std), found, strict=True):
        if not (isinstance(values, Sequence) and len(values) == 3 and all(
                isinstance(value, (int, float)) and math.isfinite(value)
                and (0 <= value <= 1 if key == mean else value > 0) for value in values)):
            wanted = 'of 0 to 1' if key == mean else 'above 0'
            raise BadValue(f'{key} beside its weights must be three numbers {wanted}, got '
                           f'{values!r}')
    return tuple(map(tuple, found))


def preprocessor(mean: Sequence[float], std: Sequence[float], **options: Any) -> dict[str, Any]:
    """Return settings of the preprocessor for colors of 0-1.

    Example:
        >>> preprocessor((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))['mean']
        [127.5, 127.5, 127.5]
    """
    return dict(type='TextImagePreprocessor', mean=[255 * value for value in mean],
                std=[255 * value for value in std], **options)


def clip_pipeline(size: tuple[int, int], interpolation: str, clean: str,
                  max_length: int) -> list[dict[str, Any]]:
    """Return the test pipeline of a model that reads with CLIP's tokenizer.

    Args:
        size: as in `published_pipeline`.
        interpolation: as in `published_pipeline`.
        clean: cleaning of captions, see `mmtbps.lexicon.caption_cleaning`.
        max_length: tokens of a caption.
    """
    return published_pipeline(size, interpolation, dict(
        tokenizer='mmtbps://datasets/transforms/assets/clip', max_length=max_length, clean=clean))


def published_pipeline(size: tuple[int, int], interpolation: str,
                  tokenize: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the pipeline of test images and captions.

    The whole picture is resized to the size, antialiased, whatever its shape: a centre crop, as
    CLIP's own processor makes, would cut most of a person away.

    Args:
        size: (height, width) in pixels.
        interpolation: ``'bilinear'`` or ``'bicubic'``.
        tokenize: options of ``TokenizeCaption``.
    """
    return [
        dict(type='LoadImageFromFile'),
        dict(type='Resize', scale=(size[1], size[0]), interpolation=interpolation,
             backend='pillow'),
        dict(type='TokenizeCaption', **tokenize),
        dict(type='PackTextImage')]
