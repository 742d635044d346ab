"""Settings and weights of a retriever as they were before it had necks and several heads.

One head then held the projections of both towers: ``head=H``, with ``head.image_projection``.
Dumped configs, model folders, checkpoints and other projects have it.
"""

import warnings
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

from torch import Tensor

__all__ = ['FORMER_HEAD', 'rename_former_keys', 'split_former_head', 'with_former_head']

#: The name among ``heads`` of what was ``head``.
FORMER_HEAD = 'contrastive'
_PROJECTIONS = {'image_projection.': 'image_neck.projection.',
                'text_projection.': 'text_neck.projection.'}


def split_former_head(head: Mapping[str, Any], heads: Mapping[str, Any] | None,
                      image_neck: dict | None, text_neck: dict | None
                      ) -> tuple[dict[str, Any], dict | None, dict | None]:
    """Read ``head=H`` as ``heads=dict(contrastive=H)``, its projections as necks; warns.

    Args:
        head: settings of one head. With a ``type`` it takes the place of ``heads['contrastive']``;
            without one it changes settings of that head, as ``model.head.temperature=0.05`` does.
        heads: settings of the heads, if there are any.
        image_neck: settings of the image neck, if there are any.
        text_neck: settings of the text neck.

    Returns:
        Settings of heads, image neck and text neck.

    Raises:
        ValueError: ``head`` has no type and there is no head to change.

    Example:
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter('ignore')
        ...     split_former_head(dict(type='H', projection_dims=8, image_dims=16, text_dims=12),
        ...                       None, None, None)[:2]
        ({'contrastive': {'type': 'H'}}, {'type': 'mmtbps.ProjectionNeck', 'out_dims': 8})
    """
    warnings.warn("head=... of a retriever is now heads=dict(contrastive=...), and its projection "
                  "image_neck and text_neck=dict(type='ProjectionNeck', out_dims=...)",
                  FutureWarning, stacklevel=3)
    heads, head = dict(heads or {}), dict(head)
    if 'type' not in head:
        if FORMER_HEAD not in heads:
            raise ValueError(f'head={head} names no type, and there is no head '
                             f'{FORMER_HEAD!r} whose settings it could change')
        head = {**heads[FORMER_HEAD], **head}
    width = head.pop('projection_dims', None)
    for name in ('image_dims', 'text_dims'):
        head.pop(name, None)
    heads[FORMER_HEAD] = head
    if width:
        neck = dict(type='mmtbps.ProjectionNeck', out_dims=width)
        image_neck, text_neck = image_neck or dict(neck), text_neck or dict(neck)
    return heads, image_neck, text_neck


def rename_former_keys(state: MutableMapping[str, Any], prefix: str = '') -> None:
    """Rename the weights of a former head in place: its projections belong to the necks.

    Args:
        state: state dict, or any mapping by names of weights.
        prefix: what comes before the retriever's own names.

    Example:
        >>> state = {'head.image_projection.weight': 1, 'head.log_temperature': 2}
        >>> rename_former_keys(state)
        >>> state
        {'image_neck.projection.weight': 1, 'heads.contrastive.log_temperature': 2}
    """
    former = f'{prefix}head.'
    for key in [key for key in state if key.startswith(former)]:
        state[f'{prefix}{_new_name(key.removeprefix(former))}'] = state.pop(key)


def with_former_head(settings: Mapping[str, Any], state: Mapping[str, Tensor],
                     dims: Sequence[int]) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
    """Return settings and weights as the same retriever had them with one head, if it could.

    Args:
        settings: of the retriever; types are names.
        state: its weights.
        dims: widths of the image and the text tower.

    Returns:
        ``None`` if it is a retriever that there could not have been then.
    """
    settings = dict(settings)
    heads = dict(settings.pop('heads', None) or {})
    necks = [settings.pop(name, None) for name in ('image_neck', 'text_neck')]
    if 'head' not in settings and 'text_backbone' in settings:
        if set(heads) != {FORMER_HEAD} or necks[0] != necks[1]:
            return None
        settings['head'] = dict(heads[FORMER_HEAD])
        if necks[0]:
            kind = str(necks[0].get('type')).rpartition('.')[2]
            if kind != 'ProjectionNeck' or set(necks[0]) - {'type', 'in_dims', 'out_dims'}:
                return None
            settings['head'] |= dict(projection_dims=necks[0].get('out_dims'), image_dims=dims[0],
                                     text_dims=dims[1])
    names = {new: old for old, new in _PROJECTIONS.items()}
    renamed = {}
    for key, value in state.items():
        start = next((new for new in names if key.startswith(new)), None)
        if start:
            key = f'head.{names[start]}{key.removeprefix(start)}'
        elif key.startswith(f'heads.{FORMER_HEAD}.'):
            key = key.replace(f'heads.{FORMER_HEAD}', 'head', 1)
        renamed[key] = value
    return settings, renamed


def _new_name(name: str) -> str:
    for old, new in _PROJECTIONS.items():
        if name.startswith(old):
            return new + name.removeprefix(old)
    return f'heads.{FORMER_HEAD}.{name}'
