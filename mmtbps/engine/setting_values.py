"""Values of settings that no run can have, found before anything is built of them."""

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from mmengine.config import Config

from mmtbps.errors import BadValue, SeveralFaults

__all__ = ['WrongValues', 'find_wrong_values', 'stop_if_wrong']


class WrongValues(SeveralFaults, BadValue):
    """Values of a config with which nothing could run."""

    heading = 'cannot start, because of these settings:'


class _Rule(NamedTuple):
    """Words for what a setting must be, and the test of it."""

    words: str
    holds: Callable[[Any], bool]


def _whole(least: int, most: float = math.inf) -> _Rule:
    above = f' and at most {most:,}' if most < math.inf else ''
    return _Rule(f'a whole number of at least {least}{above}', lambda value: (
        isinstance(value, int) and not isinstance(value, bool) and least <= value <= most))


def _is_number(value: Any) -> bool:
    return (isinstance(value, (int, float)) and not isinstance(value, bool)
            and math.isfinite(value))


def _or_none(rule: _Rule) -> _Rule:
    return _Rule(f'{rule.words}, or None', lambda value: value is None or rule.holds(value))


def _sides(rule: _Rule) -> _Rule:
    return _Rule(f'{rule.words}, or two of these', lambda value: rule.holds(value) or (
        isinstance(value, (list, tuple)) and len(value) == 2 and all(map(rule.holds, value))))


_DICT = _Rule('a dict of settings', lambda value: isinstance(value, Mapping))
_TEXT = _Rule('a text', lambda value: isinstance(value, (str, os.PathLike)))
_LIST = _Rule('a list', lambda value: isinstance(value, (list, tuple)))
_POSITIVE = _Rule('a number above 0', lambda value: _is_number(value) and value > 0)
_LIMIT = _Rule('a number above 0', lambda value: value == math.inf or _POSITIVE.holds(value))
_NOT_NEGATIVE = _Rule('a number of at least 0', lambda value: _is_number(value) and value >= 0)
_SHARE = _Rule('a number from 0 to 1', lambda value: _is_number(value) and 0 <= value <= 1)
_EVERY = _Rule('a whole number of at least 1, or -1 for never',
               lambda value: value == -1 or _whole(1).holds(value))
_ALL = _Rule('a whole number of at least 1, or -1 for all', _EVERY.holds)
_BETAS = _Rule('numbers from 0 to below 1', lambda value: isinstance(value, (list, tuple)) and all(
    _is_number(one) and 0 <= one < 1 for one in value))
_SIDE = _sides(_whole(1, 8192))

#: Places of a data set in a loader, also of those in wrappers and in wrappers of these.
_DATA_SETS = [f'.dataset{inside}' for inside in (
    '', '.dataset', '.dataset.dataset', '.dataset.datasets.*', '.datasets.*', '.datasets.*.dataset',
    '.datasets.*.datasets.*')]
#: What a setting must be where it stands; ``*`` is any key, or any place of a list.
_RULES = {
    'work_dir': _or_none(_TEXT), 'load_from': _or_none(_TEXT),
    'model': _or_none(_DICT), 'optim_wrapper': _or_none(_DICT), 'train_cfg': _or_none(_DICT),
    'randomness.seed': _or_none(_whole(0, 2**32 - 1)),
    **{f'{name}_dataloader{key}': rule for name in ('train', 'val', 'test') for key, rule in {
        '': _or_none(_DICT), '.batch_size': _whole(1), '.num_workers': _whole(0),
        '.prefetch_factor': _or_none(_whole(1)),
        **{f'{place}{key}': rule for place in _DATA_SETS for key, rule in {
            '': _DICT, '.pipeline': _LIST, '.pipeline.*.max_length': _whole(3),
            '.holdout': _or_none(_NOT_NEGATIVE), '.times': _whole(1),
            '.weights.*': _NOT_NEGATIVE}.items()}}.items()},
    **{f'train_cfg.{name}': _whole(1) for name in ('max_epochs', 'max_iters', 'val_interval')},
    'optim_wrapper.accumulative_counts': _whole(1), 'optim_wrapper.optimizer': _DICT,
    'optim_wrapper.optimizer.lr': _NOT_NEGATIVE, 'optim_wrapper.optimizer.eps': _NOT_NEGATIVE,
    'optim_wrapper.optimizer.weight_decay': _NOT_NEGATIVE,
    'optim_wrapper.optimizer.betas': _BETAS,
    'optim_wrapper.clip_grad.max_norm': _LIMIT, 'param_scheduler.*.length': _POSITIVE,
    'default_hooks.checkpoint.interval': _EVERY, 'default_hooks.checkpoint.max_keep_ckpts': _ALL,
    'default_hooks.logger.interval': _whole(1),
    'model.heads.*.temperature': _POSITIVE, 'model.heads.*.loss_weight': _NOT_NEGATIVE,
    'model.chunk_size': _or_none(_whole(1)),
    'model.mixup.prob': _SHARE, 'model.mixup.weight': _SHARE,
    **{f'model.image_backbone.{name}': _SIDE for name in ('img_size', 'patch_size', 'stride')},
}


def find_wrong_values(cfg: Config | Mapping[str, Any]) -> list[BadValue]:
    """Find the values of a config that cannot be.

    Args:
        cfg: a complete config.

    Example:
        >>> for fault in find_wrong_values(dict(
        ...         val_dataloader=dict(batch_size=0), val_cfg=None, work_dir=3)):
        ...     print(fault)
        work_dir must be a text, or None, got 3
        val_dataloader.batch_size must be a whole number of at least 1, got 0
    """
    cfg = cfg._cfg_dict if isinstance(cfg, Config) else cfg
    faults = [BadValue(f'{place} must be {rule.words}, got {value!r}')
              for key, rule in _RULES.items()
              for place, value in _at(cfg, key.split('.')) if not rule.holds(value)]
    optimizer = (cfg.get('optim_wrapper') or {}).get('optimizer') if not faults else None
    if isinstance(optimizer, Mapping) and 'type' not in optimizer:
        faults.append(BadValue('optim_wrapper.optimizer names no type, such as AdamW'))
    trio = ('train_dataloader', 'train_cfg', 'optim_wrapper')
    if 0 < sum(cfg.get(name) is not None for name in trio) < len(trio):
        lacking = [name for name in trio if cfg.get(name) is None]
        faults.append(BadValue(f'{" and ".join(lacking)}: a training needs {", ".join(trio)}'))
    if {'max_epochs', 'max_iters'} <= set(cfg.get('train_cfg') or ()):
        faults.append(BadValue('train_cfg has max_epochs and max_iters: a loop of epochs takes the '
                               'first, a loop of steps (IterBasedTrainLoop) the second'))
    schedules = cfg.get('param_scheduler')
    for schedule in schedules if isinstance(schedules, (list, tuple)) else filter(
            None, [schedules]):
        if not isinstance(schedule, Mapping):
            faults.append(BadValue('param_scheduler must hold dicts of settings, got '
                                   f'{schedule!r}'))
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        loader = cfg.get(name)
        if isinstance(loader, Mapping) and loader.get('prefetch_factor') and not loader.get(
                'num_workers'):
            faults.append(BadValue(f'{name}.prefetch_factor is for workers, and num_workers is 0'))
        faults += [BadValue(f'{name}.{key} does not go with {other}, which deals the samples: '
                            'leave it out')
                   for key, other in (('drop_last', 'batch_sampler'), ('shuffle', 'sampler'),
                                      ('shuffle', 'batch_sampler'))
                   if isinstance(loader, Mapping) and loader.get(key) and loader.get(other)]
    return faults


def stop_if_wrong(cfg: Config | Mapping[str, Any]) -> None:
    """Raise one error for all values of a config that cannot be.

    Raises:
        WrongValues: naming each, with what it must be.
    """
    if faults := find_wrong_values(cfg):
        raise WrongValues(faults)


def _at(node: Any, words: Sequence[str], place: str = '') -> Iterator[tuple[str, Any]]:
    """Yield the values at a key, each with its own key."""
    if not words:
        yield place, node
        return
    word, *rest = words
    if isinstance(node, Mapping):
        items = node.items() if word == '*' else [(word, node[word])] if word in node else []
    elif isinstance(node, (list, tuple)) and word == '*':
        items = enumerate(node)
    else:
        items = ()
    for key, value in items:
        yield from _at(value, rest, f'{place}.{key}' if place else str(key))
