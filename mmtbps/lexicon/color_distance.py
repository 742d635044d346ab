"""CIE Lab, where distances between colors are near what people see, and that of two color words."""

from functools import cache, lru_cache

import numpy as np

from .vocabulary import colors, read_table

__all__ = ['KNEE', 'TO_XYZ', 'base_colors', 'color_distance', 'colors_beside', 'has_a_base',
           'rgb_to_lab', 'srgb_to_linear']

# sRGB primaries, D65 white (IEC 61966-2-1); rows give X, Y, Z relative to the white.
TO_XYZ = np.array([[0.4124564, 0.3575761, 0.1804375],
                   [0.2126729, 0.7151522, 0.0721750],
                   [0.0193339, 0.1191920, 0.9503041]])
TO_XYZ /= TO_XYZ.sum(1, keepdims=True)
#: Cube root of the light where Lab goes from a line to a cube root.
KNEE = 6 / 29


def srgb_to_linear(rgb: np.ndarray) -> np.ndarray:
    """Convert sRGB in [0, 255] to linear light in [0, 1], float64.

    >>> srgb_to_linear(np.array([0, 188, 255])).round(2).tolist()
    [0.0, 0.5, 1.0]
    """
    value = np.asarray(rgb, np.float64) / 255
    return np.where(value <= .04045, value / 12.92, ((value + .055) / 1.055) ** 2.4)


def rgb_to_lab(rgb: np.ndarray) -> np.ndarray:
    """Convert ``(..., 3)`` sRGB in [0, 255] to CIE Lab (L in [0, 100]), float64.

    >>> rgb_to_lab(np.array([255, 255, 255])).round(3).tolist()
    [100.0, 0.0, 0.0]
    """
    xyz = srgb_to_linear(rgb) @ TO_XYZ.T
    f = np.where(xyz > KNEE ** 3, np.cbrt(xyz), xyz / (3 * KNEE ** 2) + 4 / 29)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


@cache
def base_colors() -> tuple[str, ...]:
    """Return the basic colors, in the lexicon's order."""
    return tuple(dict.fromkeys(color.name for color in colors().values()))


@cache
def color_distance(first: str, second: str) -> float:
    """Compute the Euclidean distance of two color words in CIE Lab (CIE76).

    >>> round(color_distance('black', 'white')), round(color_distance('gray', 'grey'))
    (86, 0)
    """
    pair = rgb_to_lab(np.array([colors()[first].rgb, colors()[second].rgb]))
    return float(np.linalg.norm(pair[0] - pair[1]))


@lru_cache(maxsize=1024)
def colors_beside(words: str) -> frozenset[str]:
    """List the basic colors beside its own that a color may be called by.

    Teal lies between green and blue, tan between beige and brown: neither is wrong of it.

    >>> sorted(colors_beside('light khaki')), colors_beside('green')
    (['brown', 'green'], frozenset())
    """
    spaced = f' {words.replace("-", " ")} '
    return frozenset(name for word, names in read_table('asked')['between'].items()
                     if f' {word} ' in spaced for name in names)


@lru_cache(maxsize=1024)
def has_a_base(words: str) -> bool:
    """Tell whether a color is of one basic color: nobody knows whether cream is white or beige.

    >>> has_a_base('cream colored'), has_a_base('tan')
    (False, True)
    """
    return not {*words.replace('-', ' ').split()} & {*read_table('asked')['of_no_base']}
