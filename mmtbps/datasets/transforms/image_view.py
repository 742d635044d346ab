"""Further augmentations of an image beside the one that is trained on."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform, Compose

from mmtbps.errors import BadValue, MissingKey
from mmtbps.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ImageView(BaseTransform):
    """Transform that adds another view of the image, for heads that compare views.

    SimCLR, https://arxiv.org/abs/2002.05709, and the multi-view supervision of TBPS-CLIP. Stands
    where ``img`` is as the view is to start: after loading and resizing, before the augmentations
    of ``img`` itself. ``PackTextImage(input_keys=[KEY])`` takes the view to the model; the
    preprocessor normalises it as it does the image.

    **Required keys**: ``img``.

    **Added keys**: ``key``, uint8 (H, W, 3). Nothing else of the item changes.

    Args:
        key: name of the view, such as ``'image_2'``.
        transforms: augmentations of the view, each a transform or its settings. All views of a
            batch need one size.

    Raises:
        BadValue: the key is one that items have already, or the view is no image in colour.
        MissingKey: an item has no ``img``.

    Example:
        >>> view = ImageView('image_2', [lambda item: dict(item, img=item['img'][:, ::-1])])
        >>> item = view(dict(img=np.array([[[1, 1, 1], [2, 2, 2]]], np.uint8)))
        >>> item['image_2'][..., 0].tolist(), item['img'][..., 0].tolist()
        ([[2, 1]], [[1, 2]])
    """

    def __init__(self, key: str, transforms: Sequence[Any]) -> None:
        if key in ('img', 'image', 'input_ids', 'caption_lengths'):
            raise BadValue(f'key must be a name of its own, such as image_2; got {key!r}')
        self.key = key
        self.transforms = Compose([TRANSFORMS.build(step) if isinstance(step, dict) else step
                                   for step in transforms])

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        where = results.get('img_path', 'item')
        if 'img' not in results:
            raise MissingKey(f"{where}: key 'img' is missing; put LoadImageFromFile before "
                             'ImageView in the pipeline')
        if self.key in results:
            raise BadValue(f'{where}: the item has a {self.key!r} already; give each view a name '
                           'of its own')
        view = self.transforms(dict(results, img=results['img'].copy()))['img']
        if view.dtype != np.uint8 or view.ndim != 3:
            raise BadValue(f'{where}: the view {self.key!r} must be uint8 with shape (H, W, 3), '
                           f'got {view.dtype} {view.shape}; RandomGrayscale needs '
                           'keep_channels=True')
        results[self.key] = np.ascontiguousarray(view)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(key={self.key!r}, transforms={self.transforms})'
