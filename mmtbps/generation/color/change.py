"""Difference of two images of one scene: the pixels that took another colour."""

import numpy as np
from PIL import Image, ImageFilter

from .colorspace import rgb_to_lab

__all__ = ['change_mask', 'color_change', 'grow']

_SMOOTH = ImageFilter.BoxBlur(1)
_NEIGHBORS = 64                # parts of the width that a pixel's neighbourhood reaches each way


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


def change_mask(before: Image.Image, after: Image.Image, tolerance: float = 18.) -> np.ndarray:
    """Mask the pixels that took another colour, (H, W) bool.

    A pixel goes with the majority of those around it: specks and pinholes of `color_change` vanish.

    Args:
        before: The source.
        after: The edited image, of the same size.
        tolerance: Lab distance that counts as another colour.

    Raises:
        ValueError: If the sizes differ.

    >>> source = Image.new('RGB', (8, 16), 'navy')
    >>> edited = source.copy()
    >>> edited.paste('green', (0, 0, 8, 8))
    >>> mask = change_mask(source, edited)
    >>> mask[:7].all(), mask[9:].any()
    (np.True_, np.False_)
    """
    if before.size != after.size:
        raise ValueError(f'images of one size, got {before.size} and {after.size}')
    changed = color_change(before, after) > tolerance
    around = ImageFilter.BoxBlur(max(1, before.width // _NEIGHBORS))
    return np.asarray(Image.fromarray(changed.astype(np.uint8) * 255).filter(around)) > 127


def grow(mask: np.ndarray, reach: int) -> np.ndarray:
    """Add to a mask, (H, W) bool, all pixels at most ``reach`` rows and columns away from it.

    >>> grow(np.eye(3, dtype=bool)[:1], 1)[0].tolist()
    [True, True, False]
    """
    image = Image.fromarray(mask)
    return np.asarray(image.convert('L').filter(ImageFilter.MaxFilter(2 * reach + 1))) > 0
