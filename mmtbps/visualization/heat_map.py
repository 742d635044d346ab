"""Heat-maps over pictures, such as the similarity of each place and a word."""

import textwrap
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from .fonts import font_for, with_glyphs

__all__ = ['colorize', 'draw_heat_map', 'draw_word_heat_maps']

_COLORS = 'viridis'  # even steps of lightness, told apart by the color-blind, too
_SIZE = (480, 320)  # a picture is fitted into it, small crops enlarged
_MIN_WIDTH = 84  # room for a word
_GAP, _MARGIN = 10, 20
_LINE = 18  # height of a line of text
_BAR = (168, 10)  # of the legend
_PAPER, _INK, _QUIET = '#ffffff', '#1f2328', '#6b7280'


def draw_heat_map(image: Image.Image,
                  heat: np.ndarray,
                  words: str = '',
                  limits: tuple[float, float] | None = None,
                  opacity: float = 0.6) -> Image.Image:
    """Lay a grid of numbers over a picture, with a legend.

    The picture is shown in gray, so that color means heat alone. Between the centres of the
    cells the numbers are interpolated.

    Args:
        image: a picture of any size.
        heat: ``(rows, columns)``, row 0 at the top.
        words: what the heat is of, written above.
        limits: values of the darkest and of the brightest color, which also stand for all
            beyond; default: the smallest and the largest of ``heat``.
        opacity: of the colors over the picture, 0 to 1.

    Raises:
        ValueError: ``heat`` is no finite matrix, the limits are the wrong way round, or the
            opacity is out of its range.

    Example:
        >>> draw_heat_map(Image.new('RGB', (128, 384)), np.eye(31, 10), 'red coat').mode
        'RGB'
    """
    limits = _check([heat], limits, opacity)
    return _sheet([(words, _overlay(image, heat, limits, opacity))], limits, columns=1)


def draw_word_heat_maps(image: Image.Image,
                        heats: Sequence[np.ndarray],
                        words: Sequence[str],
                        limits: tuple[float, float] | None = None,
                        opacity: float = 0.6,
                        columns: int = 9) -> Image.Image:
    """Draw the picture and, beside it, one heat-map a word, all on the same scale.

    Args:
        image: a picture of any size.
        heats: one ``(rows, columns)`` a word.
        words: written above their pictures.
        limits: as in :func:`draw_heat_map`; default: smallest and largest of all heats.
        opacity: of the colors over the picture.
        columns: pictures side by side, before the next row begins.

    Raises:
        ValueError: there is no word, words and heats differ in number, or as in
            :func:`draw_heat_map`.

    Example:
        >>> crop, heats = Image.new('RGB', (128, 384)), [np.eye(31, 10), np.zeros((31, 10))]
        >>> draw_word_heat_maps(crop, heats, ['red', 'coat']).width
        381
    """
    if not len(words) or len(words) != len(heats):
        raise ValueError(f'one heat-map a word is needed, got {len(heats)} for {len(words)} words')
    limits = _check(heats, limits, opacity)
    panels = [(word, _overlay(image, heat, limits, opacity))
              for word, heat in zip(words, heats, strict=True)]
    return _sheet([('', _enlarge(image)), *panels], limits, columns)


def colorize(heat: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """Map numbers to colors of even steps.

    Args:
        heat: an array of any shape.
        limits: values of the darkest and of the brightest color; beyond them nothing changes.

    Returns:
        uint8 RGB, the shape of ``heat`` and a last axis of 3.

    Example:
        >>> colorize(np.array([0., 1.]), (0, 1)).tolist()
        [[68, 1, 84], [253, 231, 36]]
    """
    from matplotlib import colormaps  # a dependency of MMEngine; slow to import
    low, high = limits
    share = np.clip((np.asarray(heat, np.float64) - low) / ((high - low) or 1), 0, 1)
    return colormaps[_COLORS](share, bytes=True)[..., :3]


def _check(heats: Sequence[np.ndarray], limits: tuple[float, float] | None,
           opacity: float) -> tuple[float, float]:
    for heat in heats:
        if np.ndim(heat) != 2 or not np.size(heat) or not np.isfinite(heat).all():
            raise ValueError('a heat-map must be a (rows, columns) matrix of finite numbers, got '
                             f'shape {np.shape(heat)}')
    if not 0 <= opacity <= 1:
        raise ValueError(f'opacity must lie in [0, 1], got {opacity}')
    low, high = limits or (min(map(np.min, heats)), max(map(np.max, heats)))
    if low > high:
        raise ValueError(f'limits must be (darkest, brightest), got {limits}')
    return float(low), float(high)


def _enlarge(image: Image.Image) -> Image.Image:
    return ImageOps.contain(image.convert('RGB'), _SIZE, Image.Resampling.LANCZOS)


def _overlay(image: Image.Image, heat: np.ndarray, limits: tuple[float, float],
             opacity: float) -> Image.Image:
    picture = _enlarge(image)
    fine = Image.fromarray(np.asarray(heat, np.float32)).resize(
        picture.size, Image.Resampling.BICUBIC)
    colors = Image.fromarray(colorize(np.asarray(fine), limits))
    return Image.blend(picture.convert('L').convert('RGB'), colors, opacity)


def _sheet(panels: Sequence[tuple[str, Image.Image]], limits: tuple[float, float],
           columns: int) -> Image.Image:
    """Lay out pictures in rows, with their words above and the legend below."""
    columns = min(columns, len(panels))
    panels = [(with_glyphs(words), picture) for words, picture in panels]
    cell = max(_MIN_WIDTH if columns > 1 else _BAR[0], panels[0][1].width)
    labels = [_wrap(words, cell) for words, _ in panels]
    header = _LINE * max(map(len, labels)) + 4
    step = header + panels[0][1].height + _GAP
    width = max(columns * (cell + _GAP) - _GAP, _BAR[0]) + 2 * _MARGIN
    height = -(-len(panels) // columns) * step + _legend(limits).height + 2 * _MARGIN
    sheet = Image.new('RGB', (width, height), _PAPER)
    pen = ImageDraw.Draw(sheet)
    for number, (lines, (_, picture)) in enumerate(zip(labels, panels, strict=True)):
        row, column = divmod(number, columns)
        left, top = _MARGIN + column * (cell + _GAP), _MARGIN + row * step
        for line, text in enumerate(reversed(lines), start=1):
            pen.text((left + cell / 2, top + header - 4 - line * _LINE), text, fill=_INK,
                     font=_font_for(text, cell), anchor='ma')
        sheet.paste(picture, (left + (cell - picture.width) // 2, top + header))
    sheet.paste(_legend(limits), (_MARGIN, height - _MARGIN - _legend(limits).height))
    return sheet


def _legend(limits: tuple[float, float]) -> Image.Image:
    """Draw the colors from the lowest to the highest value, with the two numbers below."""
    legend = Image.new('RGB', (_BAR[0], _BAR[1] + _LINE), _PAPER)
    ramp = np.broadcast_to(np.linspace(0, 1, _BAR[0]), _BAR[::-1])
    legend.paste(Image.fromarray(colorize(ramp, (0, 1))))
    pen, font = ImageDraw.Draw(legend), font_for('', 12)
    for value, left, anchor in zip(limits, (0, _BAR[0]), ('la', 'ra'), strict=True):
        pen.text((left, _BAR[1] + 4), f'{round(value, 4):.3g}', fill=_QUIET, font=font,
                 anchor=anchor)
    return legend


def _wrap(words: str, width: int) -> list[str]:
    return textwrap.wrap(words, int(width / font_for(words, 14).getlength('o')))


def _font_for(text: str, width: int) -> ImageFont.FreeTypeFont:
    """Load the font in the usual size, or smaller where a line of wide letters would not fit."""
    length = font_for(text, 14).getlength(text)
    return font_for(text, 14 * min(1, width / length))
