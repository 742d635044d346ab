"""Sizes in the settings of a model folder, which may come from a stranger."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from mmtbps.errors import BadValue

__all__ = ['check_sizes']

_LAYERS = re.compile(r'(num_)?(hidden_)?(layers|depths?)')
_SIZES = re.compile(
    r'(img|image|patch|hidden|intermediate|vocab)_size|stride|scale|width|heads'
    r'|num_(attention_)?heads|(embed|out|selection)_dims?|projection_(dim|size)|mlp_width'
    r'|feedforward_channels|length|reduction|experts|max_position_embeddings|(max|context)_length'
    r'|kernel_size|expansion|bands')
_MOST_LAYERS, _MOST = 512, 1_000_000


def check_sizes(settings: Any, source: str) -> None:
    """Check that sizes are whole numbers that a model can have, before anything is built.

    A stranger's file that says a billion layers would keep a process busy until it has no memory.

    Args:
        settings: nested dicts and lists.
        source: of them, for the message.

    Raises:
        BadValue: a size is none.

    Example:
        >>> check_sizes(dict(text_config=dict(num_hidden_layers=10**12)), 'model/config.json')
        Traceback (most recent call last):
        mmtbps.errors.BadValue: model/config.json: num_hidden_layers must be a whole number from 1 \
to 512, got 1000000000000
    """
    for key, value in _sizes(settings):
        most = _MOST_LAYERS if _LAYERS.fullmatch(key) else _MOST
        if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= most:
            raise BadValue(f'{source}: {key} must be a whole number from 1 to {most}, got '
                           f'{str(value)[:40]}')


def _sizes(node: Any) -> Iterator[tuple[str, Any]]:
    """Yield name and value of each size in nested settings; those of two sides apart."""
    if isinstance(node, list):
        for item in node:
            yield from _sizes(item)
    for key, value in node.items() if isinstance(node, Mapping) else ():
        if isinstance(value, (int, float, str)) and (
                _LAYERS.fullmatch(str(key)) or _SIZES.fullmatch(str(key))):
            yield key, value
        elif isinstance(value, (list, tuple)) and (
                key == 'depths' or _SIZES.fullmatch(str(key))):
            yield from ((key, one) for one in value)
        else:
            yield from _sizes(value)
