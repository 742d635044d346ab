"""Colors that words and eyes tell apart, and those that they may not."""

from collections.abc import Mapping
from functools import cache

import numpy as np

from mmtbps.lexicon.color_distance import rgb_to_lab

from ..attributes import COLORS, RGB
from ..wording import COLOR_WORDS

__all__ = ['MIN_DISTANCE', 'name_color', 'related_colors', 'told_apart']

#: CIE Lab distance from which on two drawn colors are not taken for one another.
MIN_DISTANCE = 36.


@cache
def related_colors(color: str) -> frozenset[str]:
    """Return the colors that the word for one may mean as well.

    >>> sorted(related_colors('blue')), sorted(related_colors('red')), related_colors('black')
    (['dark blue', 'light blue'], ['maroon'], frozenset())
    """
    return frozenset(other for other, (words, _) in COLOR_WORDS.items() if other != color
                     and any(color in word.split() for word in words))


@cache
def told_apart(first: str, second: str) -> bool:
    """Tell whether a thing of one color is certainly not of the other.

    >>> told_apart('red', 'green'), told_apart('maroon', 'brown'), told_apart('blue', 'dark blue')
    (True, False, False)
    """
    pair = rgb_to_lab(np.array([COLORS[first], COLORS[second]]))
    far = float(np.linalg.norm(pair[0] - pair[1])) >= MIN_DISTANCE
    return far and second not in related_colors(first) and first not in related_colors(second)


def name_color(pixels: np.ndarray, palette: Mapping[str, RGB] = COLORS) -> str:
    """Name what is seen: the color of a palette that the median pixel is nearest to in CIE Lab.

    Args:
        pixels: ``(N, 3)`` sRGB in [0, 255], at least one.
        palette: Colors by name.

    >>> name_color(np.array([[150, 30, 40], [148, 28, 36], [9, 9, 9]])), name_color(
    ...     np.array([[150, 150, 155]]))
    ('red', 'gray')
    """
    names, colors = list(palette), np.array(list(palette.values()))
    away = rgb_to_lab(colors) - rgb_to_lab(np.median(pixels, axis=0))
    return names[int(np.linalg.norm(away, axis=1).argmin())]
