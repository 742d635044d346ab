"""Random erasing of a rectangle of an image."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmtbps.errors import BadValue, MissingKey
from mmtbps.registry import TRANSFORMS

_ATTEMPTS = 10  # rectangles drawn until one fits


def draw_rectangle(height: int, width: int, area: tuple[float, float],
                   ratio: tuple[float, float]) -> tuple[int, int, int, int] | None:
    """Draw a rectangle inside an image, shape and place anew until it fits.

    Random Erasing Data Augmentation, https://arxiv.org/abs/1708.04896, algorithm 1, with the
    logarithm of the ratio drawn evenly, as torchvision does. Draws from numpy's global generator.

    Args:
        height: H of the image.
        width: W of the image.
        area: least and greatest area, as a fraction of the image.
        ratio: least and greatest height / width.

    Returns:
        First row, first column, rows and columns; smaller than the image both ways. ``None`` if ten
        drawn shapes do not fit.

    Example:
        >>> np.random.seed(0)
        >>> draw_rectangle(8, 8, area=(0.25, 0.25), ratio=(1.0, 1.0))
        (3, 3, 4, 4)
    """
    for _ in range(_ATTEMPTS):
        pixels = height * width * np.random.uniform(*area)
        aspect = np.exp(np.random.uniform(*np.log(ratio)))
        rows, columns = (int(round(np.sqrt(side))) for side in (pixels * aspect, pixels / aspect))
        if 0 < rows < height and 0 < columns < width:
            return (np.random.randint(height - rows + 1), np.random.randint(width - columns + 1),
                    rows, columns)
    return None


@TRANSFORMS.register_module()
class EraseRectangle(BaseTransform):
    """Transform that paints a random rectangle of an image in one colour (random erasing).

    Random Erasing Data Augmentation, https://arxiv.org/abs/1708.04896; see `draw_rectangle`. A
    rectangle that is too wide or too high is drawn anew. mmpretrain's ``RandomErasing`` cuts it to
    the image instead, which at 384 x 128 makes bars of full width of more than a quarter of them.

    **Required keys**: ``img``, uint8 (H, W, 3).

    **Modified keys**: ``img``.

    Args:
        prob: Probability that an image loses a rectangle.
        area: Least and greatest area, as a fraction of the image.
        ratio: Least and greatest height / width.
        fill: Colour, one value a channel in the loader's order, which is BGR.

    Raises:
        BadValue: If an option is out of its range.
        MissingKey: If an item has no image.

    Example:
        >>> np.random.seed(0)
        >>> erase = EraseRectangle(prob=1.0, area=(0.25, 0.25), ratio=(1.0, 1.0), fill=(0, 0, 0))
        >>> erase(dict(img=np.ones((8, 8, 3), np.uint8)))['img'][..., 0].sum().item()
        48
    """

    def __init__(self, prob: float = 0.5, area: tuple[float, float] = (0.02, 0.4),
                 ratio: tuple[float, float] = (0.3, 3.3),
                 fill: Sequence[float] = (0, 0, 0)) -> None:
        if not 0 <= prob <= 1:
            raise BadValue(f'prob must lie in [0, 1], got {prob}')
        if not 0 < area[0] <= area[1] <= 1 or not 0 < ratio[0] <= ratio[1]:
            raise BadValue('area and ratio must be (least, greatest) and positive, area at most 1, '
                           f'got {area} and {ratio}')
        self.prob, self.area, self.ratio = prob, tuple(area), tuple(ratio)
        self.fill = np.rint(fill).astype(np.uint8)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        if 'img' not in results:
            raise MissingKey(f"{results.get('img_path', 'item')}: key 'img' is missing; put "
                             'LoadImageFromFile before EraseRectangle in the pipeline')
        if np.random.random() >= self.prob:
            return results
        rectangle = draw_rectangle(*results['img'].shape[:2], self.area, self.ratio)
        if rectangle:
            top, left, rows, columns = rectangle
            results['img'] = results['img'].copy()
            results['img'][top:top + rows, left:left + columns] = self.fill
        return results

    def __repr__(self) -> str:
        return (f'{type(self).__name__}(prob={self.prob}, area={self.area}, ratio={self.ratio}, '
                f'fill={tuple(self.fill.tolist())})')
