"""Preprocessing that published models were trained with, as settings of ours."""

from collections.abc import Sequence
from typing import Any

__all__ = ['CLIP_COLORS', 'IMAGENET_COLORS', 'INTERPOLATIONS', 'clip_pipeline', 'preprocessor',
           'published_pipeline']

#: Mean and standard deviation of red, green and blue, 0-1.
CLIP_COLORS = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
#: Names of Pillow's filters by the numbers that transformers writes.
INTERPOLATIONS = {0: 'nearest', 1: 'lanczos', 2: 'bilinear', 3: 'bicubic'}
IMAGENET_COLORS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


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
