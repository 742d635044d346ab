"""Packing of an item for the model, the last step of a pipeline."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmpretrain.structures import DataSample

from mmtbps.errors import BadValue, MissingKey
from mmtbps.registry import TRANSFORMS

from .tokenize import CAPTION_KEYS, captions_of

_IMAGE_KEYS = {'img', 'img_path'}
_TEXT_KEYS = {'input_ids', *CAPTION_KEYS}


@TRANSFORMS.register_module()
class PackTextImage(BaseTransform):
    """Transform that packs an item into ``dict(inputs=..., data_samples=...)``.

    **Required keys**: ``img``, uint8 (H, W, 3) in mmcv's BGR order; ``input_ids``; ``caption`` or
    ``captions``. In a search one side is all there is: an item without any words is packed as an
    image, an item without ``img`` and ``img_path`` as text.

    **Output**: ``inputs`` with ``image``, uint8 (3, H, W), channels still BGR (the preprocessor
    turns and normalises them on the device); ``input_ids``, int64 (L_1 + ... + L_k,), the tokens of
    the k captions one after the other; ``caption_lengths``, int64 (k,). In this form items with
    different k pass through ``pseudo_collate``, which refuses lists of different length.
    ``data_samples`` is a ``DataSample`` whose metainfo holds ``captions`` (list of k str, in
    training too), ``num_captions`` and those of ``meta_keys`` that the item has. Text alone goes
    with its sample, as ``input_ids`` and ``caption_lengths``: mmpretrain's inferencers hand nothing
    else to the model, and collate in a way that refuses texts of different length.

    Args:
        meta_keys: Keys to keep as metainfo. A key that an item does not have is left out
            (``flip`` exists only after ``RandomFlip``).
        input_keys: Further keys of an item, made by other transforms for heads that ask for them:
            lists of tokens as ``input_ids`` has them (packed with ``NAME_lengths``), images as
            ``img`` is, or numbers and arrays of one shape. An item without images or without words
            brings none.

    Raises:
        MissingKey: If ``img``, ``input_ids``, the captions or one of ``input_keys`` are missing.
        BadValue: If ``img`` is no uint8 (H, W, 3) array, or captions and tokens differ in number.

    Example:
        >>> item = dict(img=np.zeros((4, 2, 3), np.uint8), input_ids=[torch.tensor([2, 7, 3])],
        ...             caption='a man', person_id=5)
        >>> packed = PackTextImage()(item)
        >>> packed['inputs']['caption_lengths'], packed['data_samples'].person_id
        (tensor([3]), 5)
    """

    DEFAULT_META_KEYS = ('img_path', 'person_id', 'image_id', 'pair_weight', 'sample_idx',
                         'ori_shape', 'img_shape', 'flip', 'flip_direction')

    def __init__(self, meta_keys: Sequence[str] = DEFAULT_META_KEYS,
                 input_keys: Sequence[str] = ()) -> None:
        for name, keys in dict(meta_keys=meta_keys, input_keys=input_keys).items():
            if isinstance(keys, str):
                raise BadValue(f'{name} must be a list of keys, got the string {keys!r}')
        self.meta_keys, self.input_keys = tuple(meta_keys), tuple(input_keys)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        where = results.get('img_path', 'item')
        image_only = not _TEXT_KEYS & results.keys()
        text_only = not _IMAGE_KEYS & results.keys() and not image_only
        for key, source, absent in (('img', 'LoadImageFromFile', text_only),
                                    ('input_ids', 'TokenizeCaption', image_only)):
            if key not in results and not absent:
                raise MissingKey(f'{where}: key {key!r} is missing; put {source} before '
                                 'PackTextImage in the pipeline')
        meta = {key: results[key] for key in self.meta_keys if key in results}
        image = {} if text_only else dict(image=_to_tensor(results['img'], where))
        if image_only:
            return dict(inputs=image, data_samples=_sample(meta))
        meta['captions'] = captions_of(results)
        meta['num_captions'] = len(meta['captions'])
        tokens = _to_tokens(results['input_ids'], meta['num_captions'], where)
        sample = _sample(meta)
        if text_only:
            sample.set_data(tokens)
            return dict(inputs={}, data_samples=sample)
        return dict(inputs={**image, **tokens, **self._further(results, where)},
                    data_samples=sample)

    def _further(self, results: dict[str, Any], where: str) -> dict[str, torch.Tensor]:
        inputs = {}
        for key in self.input_keys:
            if key not in results:
                raise MissingKey(f'{where}: key {key!r} of input_keys is missing; put the '
                                 'transform that makes it before PackTextImage in the pipeline')
            value = results[key]
            if isinstance(value, list):
                inputs[key] = torch.cat(value)
                inputs[f'{key}_lengths'] = torch.tensor([len(ids) for ids in value])
            elif isinstance(value, np.ndarray) and value.ndim == 3:
                inputs[key] = _to_tensor(value, where)
            else:
                inputs[key] = torch.as_tensor(value)
        return inputs

    def __repr__(self) -> str:
        return f'{type(self).__name__}(meta_keys={self.meta_keys})'


def _sample(meta: dict[str, Any]) -> DataSample:
    """Make ``DataSample(metainfo=meta)`` without a deep copy of values that nobody else holds."""
    sample = DataSample()
    for key, value in meta.items():
        sample.set_field(value, key, field_type='metainfo')
    return sample


def _to_tokens(input_ids: list[torch.Tensor], num_captions: int, where: str) -> dict:
    lengths = [len(ids) for ids in input_ids]
    if len(lengths) != num_captions:
        raise BadValue(f'{where}: {len(lengths)} token sequences for {num_captions} captions; '
                       'an item needs one for each')
    # An image of the gallery that nobody described has neither.
    return dict(input_ids=torch.cat([torch.empty(0, dtype=torch.int64), *input_ids]),
                caption_lengths=torch.tensor(lengths, dtype=torch.int64))


def _to_tensor(image: np.ndarray, where: str) -> torch.Tensor:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise BadValue(
            f'{where}: the image must be uint8 with shape (H, W, 3), got {image.dtype} '
            f'{image.shape}. Read it in colour, and leave normalising to the preprocessor')
    planes = np.empty((3, *image.shape[:2]), np.uint8)
    cv2.split(image, list(planes))  # into planes; three times as fast as a transposed copy
    return torch.from_numpy(planes)
