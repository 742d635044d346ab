"""Packing of an item for a model that has its own preprocessing."""

from collections.abc import Sequence
from typing import Any

from mmcv.transforms import BaseTransform
from mmpretrain.structures import DataSample
from PIL import Image

from mmtbps.errors import MissingKey
from mmtbps.registry import TRANSFORMS

from .pack_inputs import PackTextImage
from .tokenize import captions_of


@TRANSFORMS.register_module()
class PackPicture(BaseTransform):
    """Transform that packs a picture as a PIL image, and its captions as they are written.

    For ``PretrainedRetriever``, whose model resizes, normalises and tokenizes by itself.

    **Required keys**: ``img``, uint8 (H, W, 3) in mmcv's BGR order; ``caption`` or ``captions``.

    **Output**: ``inputs`` with ``image``, an RGB PIL image; ``data_samples``, a ``DataSample`` with
    the metainfo ``captions``, ``num_captions`` and those of ``meta_keys`` that the item has.

    Args:
        meta_keys: Keys to keep as metainfo.

    Raises:
        MissingKey: If ``img`` or the captions are missing.

    Example:
        >>> import numpy as np
        >>> item = dict(img=np.zeros((4, 2, 3), np.uint8), captions=['a man', 'a man in red'])
        >>> packed = PackPicture()(item)
        >>> packed['inputs']['image'].size, packed['data_samples'].num_captions
        ((2, 4), 2)
    """

    def __init__(self, meta_keys: Sequence[str] = PackTextImage.DEFAULT_META_KEYS) -> None:
        self.meta_keys = tuple(meta_keys)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        if 'img' not in results:
            raise MissingKey(f"{results.get('img_path', 'item')}: key 'img' is missing; put "
                             'LoadImageFromFile before PackPicture in the pipeline')
        sample = DataSample()
        meta = {key: results[key] for key in self.meta_keys if key in results}
        meta['captions'] = captions_of(results)
        meta['num_captions'] = len(meta['captions'])
        for key, value in meta.items():
            sample.set_field(value, key, field_type='metainfo')
        image = Image.fromarray(results['img'][..., ::-1].copy())
        return dict(inputs=dict(image=image), data_samples=sample)
