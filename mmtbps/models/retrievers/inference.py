"""Settings of a retriever that only encodes."""

import copy
import warnings
from collections.abc import MutableMapping
from typing import Any

from mmtbps.models.peft import kept_settings

from .former_settings import split_former_head

__all__ = ['inference_settings']

#: Settings that act in training only.
_TRAINING = ('heads', 'mixup', 'chunk_size', 'lora')


def inference_settings(settings: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Return the settings of a model without what only training needs.

    That is heads, mixup, chunks, and low-rank adapters, which are merged as weights load; other
    parts of ``peft`` stay. The projections of a former head become necks. Settings of a model
    without towers, such as another project's, are returned as they are.

    Example:
        >>> inference_settings(dict(text_backbone={}, heads=dict(contrastive={}), mixup={}))
        {'text_backbone': {}}
    """
    settings = copy.copy(settings)  # a config keeps its lazy classes, which a new dict would import
    if 'text_backbone' not in settings:
        return settings
    head = settings.pop('head', None)
    if head is not None:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', FutureWarning)  # the user need not change anything
            _, *necks = split_former_head(
                {'type': '', **head}, None, settings.get('image_neck'), settings.get('text_neck'))
        settings.update({name: neck for name, neck in
                         zip(('image_neck', 'text_neck'), necks, strict=True) if neck})
    for key in _TRAINING:
        settings.pop(key, None)
    if kept := kept_settings(settings.pop('peft', None) or {}):
        settings['peft'] = kept
    return settings
