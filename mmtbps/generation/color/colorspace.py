"""sRGB and CIE Lab, where distances between colours are near what people see."""

import numpy as np

from mmtbps.lexicon import colors
from mmtbps.lexicon.color_distance import KNEE, TO_XYZ, rgb_to_lab, srgb_to_linear

__all__ = ['into_gamut', 'lab_to_rgb', 'linear_to_srgb', 'palette', 'rgb_to_lab',
           'srgb_to_linear']

_FROM_XYZ = np.linalg.inv(TO_XYZ)
_UNCLIPPED = .0006, .965            # linear light of a channel that is surely not clipped: 2 to 251
_LIGHTNESS = 2., 97.
_BISECTIONS = 10


def linear_to_srgb(linear: np.ndarray) -> np.ndarray:
    """Convert linear light, clipped to [0, 1], to sRGB in [0, 255], float64.

    >>> linear_to_srgb(np.array([-.1, .5, 2.])).round().tolist()
    [0.0, 188.0, 255.0]
    """
    light = np.clip(linear, 0, 1)
    return 255 * np.where(light <= .0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - .055)


def lab_to_rgb(lab: np.ndarray) -> np.ndarray:
    """Convert ``(..., 3)`` CIE Lab to uint8 sRGB; colours that do not exist are clipped.

    >>> lab_to_rgb(rgb_to_lab(np.array([12, 200, 99]))).tolist()
    [12, 200, 99]
    """
    return linear_to_srgb(_to_linear_rgb(lab)).round().astype(np.uint8)


def _to_linear_rgb(lab: np.ndarray) -> np.ndarray:
    """Compute the light of each channel; outside [0, 1] for colours that do not exist."""
    lightness, a, b = np.moveaxis(np.asarray(lab, np.float64), -1, 0)
    y = (lightness + 16) / 116
    f = np.stack([y + a / 500, y, y - b / 200], -1)
    xyz = np.where(f > KNEE, f ** 3, 3 * KNEE ** 2 * (f - 4 / 29))
    return xyz @ _FROM_XYZ.T


def palette() -> tuple[tuple[str, ...], np.ndarray]:
    """Return the names of the basic colours, sorted, and their Lab anchors ``(n, 3)``.

    >>> names, anchors = palette()
    >>> names[0], anchors.shape == (len(names), 3)
    ('beige', True)
    """
    basic = {color.name: color.rgb for color in colors().values()}
    names = tuple(sorted(basic))
    return names, rgb_to_lab(np.array([basic[name] for name in names]))


def into_gamut(lab: np.ndarray) -> np.ndarray:
    """Move colours into sRGB, lightness and hue kept, ``(..., 3)`` CIE Lab.

    A little space is kept at both ends of each channel, so that nothing comes out clipped.

    >>> vivid = into_gamut(np.array([[50., 120., 0.], [50., 10., 0.]]))
    >>> vivid.round().tolist(), vivid[1].tolist()
    ([[50.0, 79.0, 0.0], [50.0, 10.0, 0.0]], [50.0, 10.0, 0.0])
    """
    lab = np.array(lab, np.float64)
    lab[..., 0] = lab[..., 0].clip(*_LIGHTNESS)
    least, most = np.zeros(lab.shape[:-1]), np.ones(lab.shape[:-1])
    exists = _exists(lab)
    for _ in range(_BISECTIONS):
        middle = (least + most) / 2
        fits = _exists(lab * _chroma(middle))
        least, most = np.where(fits, middle, least), np.where(fits, most, middle)
    return lab * _chroma(np.where(exists, 1., least))


def _exists(lab: np.ndarray) -> np.ndarray:
    linear = _to_linear_rgb(lab)
    return ((linear > _UNCLIPPED[0]) & (linear < _UNCLIPPED[1])).all(-1)


def _chroma(factor: np.ndarray) -> np.ndarray:
    return np.stack([np.ones_like(factor), factor, factor], -1)
