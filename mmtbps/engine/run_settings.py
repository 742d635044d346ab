"""Settings of a run that its checkpoints note, and what becomes of them where it is resumed."""

from collections.abc import Mapping
from inspect import isclass
from typing import Any

from mmengine.config import Config
from mmengine.dist import get_world_size
from mmengine.runner import Runner

from mmtbps.datasets.wrappers import data_sets_in
from mmtbps.errors import UserError

from .preflight import data_settings

__all__ = ['ChangedSettings', 'compare_settings', 'describe_run', 'plain']

#: Changing one of these in the middle makes another run of it.
FIXED = ('seed', 'processes', 'batch size', 'sampler', 'data', 'records', 'loss', 'mixup',
         'mixup schedule')
#: These are taken from the config, whatever the checkpoint says.
FREE = ('optimizer', 'schedule', 'length')
#: So are these, which the checkpoint says nothing of: a change of them is only said.
NOTED = ('pipeline', 'model', 'hooks')
#: Settings of a data set that do not say what is trained with, or are compared elsewhere.
_NOT_OF_RECORDS = {'pipeline', 'data_root', 'data_prefix', 'ann_file', 'pairs_root', 'lazy_init',
                   'strict',
                   'verify_images', 'serialize_data', 'max_refetch', 'max_broken', 'metainfo'}
_MIXUP_SCHEDULE = 'FeatureMixupHook'


class ChangedSettings(UserError, ValueError):
    """Settings with which a run cannot go on as the same run.

    Args:
        changes: a line for each.
    """

    def __init__(self, changes: list[str]) -> None:
        super().__init__('this run cannot go on with other settings than it began with: '
                         f'{"; ".join(changes)}. Undo them, or say that you mean it with '
                         'resume_anyway=True in the config')
        self.changes = changes

    def __reduce__(self) -> tuple:
        return type(self), (self.changes, )


def describe_run(runner: Runner) -> dict[str, Any]:
    """Describe what a run depends on, in plain values that a checkpoint can hold.

    Args:
        runner: with its train loop built.

    Returns:
        A value for each of `FIXED`, `FREE` and `NOTED`.
    """
    cfg, loader = runner.cfg, runner.train_dataloader
    settings, hooks = cfg.train_dataloader, _hooks_by_name(cfg)
    return {
        'seed': cfg.get('randomness', {}).get('seed'),
        'processes': get_world_size(),
        'batch size': getattr(loader.batch_sampler, 'batch_size', loader.batch_size),
        'sampler': {key: plain(settings.get(key)) for key in ('sampler', 'batch_sampler')},
        'data': _ann_files(loader.dataset),
        'records': _records(settings.dataset),
        'loss': plain(cfg.model.get('heads') or cfg.model.get('head')),
        'mixup': plain(cfg.model.get('mixup')),
        'mixup schedule': hooks.pop(_MIXUP_SCHEDULE, None),
        'hooks': hooks,
        'pipeline': _pipelines(settings.dataset),
        'model': {key: plain(value) for key, value in cfg.model.items()
                  if key not in ('head', 'heads', 'mixup', 'chunk_size')},
        'optimizer': plain(cfg.optim_wrapper),
        'schedule': plain(cfg.get('param_scheduler')),
        'length': plain({key: value for key, value in cfg.train_cfg.items()
                         if key in ('max_epochs', 'max_iters')}),
    }


def _ann_files(dataset: Any) -> dict[str, str]:
    """Collect the hashes of the annotation files of a data set, and of those of its transforms."""
    known = dict(getattr(dataset, 'metainfo', {}).get('ann_files') or {})
    for one in data_sets_in(dataset):
        for step in getattr(getattr(one, 'pipeline', None), 'transforms', ()):
            known.update(getattr(step, 'ann_files', None) or {})
    return {name: str(value) for name, value in known.items()}


def _pipelines(settings: Mapping[str, Any]) -> Any:
    """Return the pipeline of a data set, or those of all that it wraps."""
    pipelines = [plain(one.get('pipeline')) for one in data_settings(settings)]
    return pipelines[0] if len(pipelines) == 1 else pipelines


def _records(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a data set, or one inside it, says of the records that it gives."""
    return {key: [_records(one) for one in value] if key == 'datasets' else
            _records(value) if key == 'dataset' else plain(value)
            for key, value in settings.items()
            if key not in _NOT_OF_RECORDS and not key.startswith('allow_')}


def _hooks_by_name(cfg: Config) -> dict[str, Any]:
    hooks = [plain(hook) for hook in cfg.get('custom_hooks') or () if isinstance(hook, Mapping)]
    return {hook.pop('type', 'hook'): hook for hook in hooks}


def compare_settings(before: Mapping[str, Any], now: Mapping[str, Any], names: tuple[str, ...]
                     ) -> list[str]:
    """Say what has changed between two descriptions of a run.

    Args:
        before: what a checkpoint notes.
        now: what the config says.
        names: the parts to look at; one that the checkpoint does not note counts as unchanged.

    Returns:
        A line for each setting that differs.

    Example:
        >>> compare_settings({'seed': 0, 'optimizer': {'lr': 0.1, 'eps': 1e-8}},
        ...                  {'seed': 1, 'optimizer': {'lr': 0.2, 'eps': 1e-8}},
        ...                  ('seed', 'optimizer', 'data'))
        ['seed: 0, now 1', 'optimizer.lr: 0.1, now 0.2']
    """
    return [line for name in names if name in before
            for line in _differences(name, before[name], now[name])]


def plain(value: Any) -> Any:
    """Turn settings into dicts, lists, numbers and text; a class becomes its name.

    Example:
        >>> plain(dict(type=dict, betas=(0.9, 0.98)))
        {'type': 'dict', 'betas': [0.9, 0.98]}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, str):
        return value.rpartition('.')[2] if value.startswith(('mmtbps.', 'mmengine.', 'torch.')
                                                            ) else value
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return value.__name__ if isclass(value) or callable(value) else str(value)


def _differences(name: str, before: Any, now: Any) -> list[str]:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        return [line for key in dict.fromkeys([*before, *now])
                for line in _differences(f'{name}.{key}', before.get(key), now.get(key))]
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        return [line for index, pair in enumerate(zip(before, now, strict=True))
                for line in _differences(f'{name}[{index}]', *pair)]
    return [] if before == now else [f'{name}: {before}, now {now}']
