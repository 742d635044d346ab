"""Difference of two images of one scene: the pixels that took another colour."""

import numpy as np
from PIL import Image, ImageFilter

from .colorspace import rgb_to_lab

__all__ = ['change_mask']

_SMOOTH = ImageFilter.BoxBlur(1)
_NEIGHBORS = 64                # parts of the width that a pixel's neighbourhood reaches each way


def change_mask(before: Image.Image, after: Image.Image, tolerance: float = 18.) -> np.ndarray:
    """Mask the pixels that took another colour, (H, W) bool.

    Both images are smoothed over 3 x 3 pixels and compared in CIE Lab, so that noise and the blur
    of an autoencoder count for nothing. A pixel goes with the majority of those around it: specks
    and pinholes vanish.

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
    off = np.subtract(*(rgb_to_lab(np.asarray(image.convert('RGB').filter(_SMOOTH)))
                        for image in (before, after)))
    changed = np.linalg.norm(off, axis=-1) > tolerance
    around = ImageFilter.BoxBlur(max(1, before.width // _NEIGHBORS))
    return np.asarray(Image.fromarray(changed.astype(np.uint8) * 255).filter(around)) > 127
