"""Votes of pixels for basic colours, in light or shadow; bands in which garments are worn."""

from functools import cache

import numpy as np

from mmtbps.errors import BadValue
from mmtbps.lexicon import colors

from .colorspace import linear_to_srgb, palette, rgb_to_lab, srgb_to_linear

__all__ = ['BANDS', 'band_of', 'color_votes', 'region_mask', 'shaded_palette']

#: Top and bottom of the place of a garment, as shares of the height.
BANDS = {'upper': (.12, .60), 'lower': (.40, .95), 'full': (.12, .95)}
_COLUMNS = (.2, .8)            # without a mask: the middle of the band
_SHADES = (.3, .4, .5, .65, .8, 1., 1.15)   # of a colour, as factors of its linear light
_VOTERS = 4096                 # pixels that vote at most, evenly spread


@cache
def shaded_palette() -> np.ndarray:
    """Return every basic colour from deep shadow to bright light, Lab, (n, shades, 3)."""
    linear = srgb_to_linear(np.array([colors()[name].rgb for name in palette()[0]]))
    return np.stack([rgb_to_lab(linear_to_srgb(linear * shade)) for shade in _SHADES], axis=1)


def color_votes(pixels: np.ndarray) -> np.ndarray:
    """Count the share of the pixels that have each basic colour, in light or shadow.

    A pixel votes for the colour whose nearest shade is nearest to it in CIE Lab: a shirt that is
    white in the sun and gray in its own shadow is white.

    Args:
        pixels: (N, 3) sRGB in [0, 255].

    Returns:
        (n,) in the order of `palette`; sums to 1, or all zeros if there is no pixel.

    >>> votes = color_votes(np.array([[190, 30, 40], [95, 15, 20], [40, 70, 170]]))
    >>> {palette()[0][i]: round(float(votes[i]), 2) for i in np.flatnonzero(votes)}
    {'blue': 0.33, 'red': 0.67}
    """
    shades = shaded_palette()
    if not len(pixels):
        return np.zeros(len(shades))
    voters = rgb_to_lab(pixels[::-(-len(pixels) // _VOTERS)]).T
    distance = np.full((len(shades), voters.shape[1]), np.inf)
    for shade in shades.swapaxes(0, 1):  # long rows of pixels: many times as fast as all at once
        lightness, *colorfulness = (np.square(voter - anchor[:, None])
                                    for voter, anchor in zip(voters, shade.T, strict=True))
        np.minimum(distance, sum(colorfulness, lightness), out=distance)
    return np.bincount(distance.argmin(0), minlength=len(shades)) / voters.shape[1]


def band_of(region: str) -> tuple[float, float]:
    """Return top and bottom of a region's band, shares of the height.

    Raises:
        BadValue: If the region is not one of ``BANDS``.
    """
    if region not in BANDS:
        raise BadValue(f'no band for region {region!r}; there are {", ".join(BANDS)}')
    return BANDS[region]


def region_mask(size: tuple[int, int], region: str) -> np.ndarray:
    """Mask the place of a garment of a region, (H, W) bool: the middle of its band.

    Raises:
        BadValue: If the region is not one of ``BANDS``.
    """
    top, bottom = band_of(region)
    rows = (np.arange(size[0]) + .5) / size[0]
    columns = (np.arange(size[1]) + .5) / size[1]
    inside = (columns > _COLUMNS[0]) & (columns < _COLUMNS[1])
    return ((rows > top) & (rows < bottom))[:, None] & inside
