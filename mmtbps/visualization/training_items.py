"""An item of a data set as the model sees it, beside the picture that it comes from."""

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw

from .fonts import font_for, with_glyphs

__all__ = ['draw_training_item']

_HEIGHT, _GAP, _TEXT = 288, 12, 13
_PAPER, _INK, _QUIET = '#ffffff', '#1f2328', '#6b7280'


def draw_training_item(pictures: Mapping[str, np.ndarray], captions: Sequence[str],
                       title: str = '') -> Image.Image:
    """Draw the pictures of an item side by side, its captions below.

    Args:
        pictures: uint8 (H, W, 3), red first, by what stands over each.
        captions: as they go to the tokenizer.
        title: a line above the captions.

    Example:
        >>> item = draw_training_item({'file': np.zeros((40, 20, 3), np.uint8)}, ['A man.'])
        >>> item.mode, item.width
        ('RGB', 400)
    """
    tiles = {name: Image.fromarray(picture).resize(
        (max(1, round(picture.shape[1] * _HEIGHT / picture.shape[0])), _HEIGHT))
        for name, picture in pictures.items()}
    width = max(400, sum(tile.width + _GAP for tile in tiles.values()) + _GAP)
    lines = [(title, _QUIET)] if title else []
    for caption in captions:
        lines += [(line, _INK) for line in textwrap.wrap(with_glyphs(caption), width // 7) or ['']]
    top = _GAP + _TEXT + 8
    canvas = Image.new('RGB', (width, top + _HEIGHT + _GAP + len(lines) * (_TEXT + 6) + _GAP),
                       _PAPER)
    draw, left = ImageDraw.Draw(canvas), _GAP
    for name, tile in tiles.items():
        draw.text((left, _GAP), name, _QUIET, font_for(name, _TEXT))
        canvas.paste(tile, (left, top))
        left += tile.width + _GAP
    for number, (line, color) in enumerate(lines):
        draw.text((_GAP, top + _HEIGHT + _GAP + number * (_TEXT + 6)), line, color,
                  font_for(line, _TEXT))
    return canvas
