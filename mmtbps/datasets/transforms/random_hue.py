"""Random turn of the hue of an image."""

from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmtbps.errors import BadValue, MissingKey
from mmtbps.registry import TRANSFORMS

_SECTORS = (1, 3, 5)  # of blue, green and red: where the channel rises on the circle of six hues


def turn_hue(image: np.ndarray, turn: float) -> np.ndarray:
    """Turn the hue of all pixels, leaving their saturation and value in HSV.

    Args:
        image: ``(H, W, 3)`` uint8, BGR.
        turn: Part of the colour circle; a third makes green of red, any whole number nothing.

    Returns:
        A new image of the same form, each channel to within rounding.

    Example:
        >>> turn_hue(np.array([[[10, 20, 200]]], np.uint8), 1 / 3).tolist()
        [[[20, 200, 10]]]
    """
    blue, green, red = np.moveaxis(image.astype(np.float32), -1, 0)
    value = np.maximum(np.maximum(blue, green), red)
    chroma = value - np.minimum(np.minimum(blue, green), red)
    unit = np.where(chroma > 0, chroma, 1)
    hue = np.where(value == red, (green - blue) / unit, np.where(
        value == green, 2 + (blue - red) / unit, 4 + (red - green) / unit))
    turned = np.empty_like(image)
    for channel, sector in enumerate(_SECTORS):
        place = (sector + hue + 6 * turn) % 6
        fall = np.clip(np.minimum(place, 4 - place), 0, 1)
        turned[..., channel] = np.rint(value - chroma * fall)
    return turned


@TRANSFORMS.register_module()
class RandomHue(BaseTransform):
    """Transform that turns the hue of an image by chance (`turn_hue`), as colour jitter does.

    Stands beside mmpretrain's ``ColorJitter`` in the place of its ``hue``, which fails with
    NumPy 2. A caption names colours: turn the hue only of views that meet no caption.

    **Required keys**: ``img``, uint8 (H, W, 3).

    **Modified keys**: ``img``.

    Args:
        hue: Largest turn to either side, as part of the colour circle.

    Raises:
        BadValue: If ``hue`` is outside [0, 0.5], or the image is no uint8 in colour.
        MissingKey: If an item has no image.

    Example:
        >>> np.random.seed(0)
        >>> RandomHue(hue=0.1)(dict(img=np.array([[[10, 20, 200]]], np.uint8)))['img'].tolist()
        [[[10, 31, 200]]]
    """

    def __init__(self, hue: float = 0.1) -> None:
        if not 0 <= hue <= 0.5:
            raise BadValue(f'hue must lie in [0, 0.5], got {hue}')
        self.hue = hue

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        where = results.get('img_path', 'item')
        if 'img' not in results:
            raise MissingKey(f"{where}: key 'img' is missing; put LoadImageFromFile before "
                             'RandomHue in the pipeline')
        image = results['img']
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] != 3:
            raise BadValue(f'{where}: the image must be uint8 with shape (H, W, 3), got '
                           f'{image.dtype} {image.shape}')
        results['img'] = turn_hue(image, np.random.uniform(-self.hue, self.hue))
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(hue={self.hue})'
