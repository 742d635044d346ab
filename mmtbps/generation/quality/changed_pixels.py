"""Pixels that an edit changed, by their colours and not by the editor's word."""

import numpy as np
from PIL import Image, ImageFilter

from ..color.colorspace import rgb_to_lab

__all__ = ['color_change', 'grow']

_SMOOTH = ImageFilter.BoxBlur(1)


def color_change(before: Image.Image, after: Image.Image) -> np.ndarray:
    """Compute the Lab distance of two images pixel by pixel, (H, W).

    Both are smoothed over 3 x 3 pixels first, so that noise and the blur of an autoencoder count
    for little.

    Args:
        before, after: Images of one size.

    >>> gray, red = (Image.new('RGB', (4, 4), color) for color in ('gray', 'red'))
    >>> bool((color_change(gray, red) > 100).all()), float(color_change(red, red).max())
    (True, 0.0)
    """
    lab = [rgb_to_lab(np.asarray(image.convert('RGB').filter(_SMOOTH)))
           for image in (before, after)]
    return np.linalg.norm(lab[1] - lab[0], axis=-1)


def grow(mask: np.ndarray, reach: int) -> np.ndarray:
    """Add to a mask, (H, W) bool, all pixels at most ``reach`` rows and columns away from it.

    >>> grow(np.eye(3, dtype=bool)[:1], 1)[0].tolist()
    [True, True, False]
    """
    image = Image.fromarray(mask)
    return np.asarray(image.convert('L').filter(ImageFilter.MaxFilter(2 * reach + 1))) > 0
