"""Changes of a picture: something in front, out of focus, far away."""

import numpy as np
from PIL import Image, ImageFilter

from mmtbps.errors import BadValue

__all__ = ['blur', 'occlude', 'shrink']

_GREY = (127, 127, 127)


def occlude(image: Image.Image, rng: np.random.Generator, share: float = .3) -> Image.Image:
    """Put a grey box of the picture's own shape over a part of it, at random.

    Args:
        image: RGB.
        rng: of the place.
        share: of the area, 0 to 1.

    Example:
        >>> picture = Image.new('RGB', (10, 20))
        >>> hidden = occlude(picture, np.random.default_rng(0), .25)
        >>> (np.asarray(hidden) == 127).all(2).mean()
        np.float64(0.25)
    """
    if not 0 <= share <= 1:
        raise BadValue(f'share must lie in [0, 1], got {share}')
    width, height = (round(side * share ** .5) for side in image.size)
    left = int(rng.integers(image.width - width + 1))
    top = int(rng.integers(image.height - height + 1))
    image = image.copy()
    image.paste(_GREY, (left, top, left + width, top + height))
    return image


def blur(image: Image.Image, rng: np.random.Generator, radius: float = .03) -> Image.Image:
    """Blur a picture by a Gaussian.

    Args:
        image: RGB.
        rng: not used.
        radius: standard deviation as a share of the width.
    """
    if radius < 0:
        raise BadValue(f'radius must not be negative, got {radius}')
    return image.filter(ImageFilter.GaussianBlur(radius * image.width))


def shrink(image: Image.Image, rng: np.random.Generator, height: int = 48) -> Image.Image:
    """Bring a picture to few pixels, as of a person far away, and back to its size.

    Args:
        image: RGB; smaller ones stay as they are.
        rng: not used.
        height: pixels that are left.
    """
    if height < 1:
        raise BadValue(f'height must be at least 1, got {height}')
    if image.height <= height:
        return image
    small = image.resize((max(1, round(image.width * height / image.height)), height),
                         Image.Resampling.BOX)
    return small.resize(image.size, Image.Resampling.BICUBIC)
