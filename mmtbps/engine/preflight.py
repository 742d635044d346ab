"""Search for missing files before anything slow begins."""

from collections.abc import Iterator, Mapping
from inspect import isclass
from typing import Any

from mmengine.config import Config

from mmtbps.errors import MissingFile, Remedy, SeveralFaults, UserError
from mmtbps.fileio import why_no_file
from mmtbps.models import CrossEncoderRetriever, Tower
from mmtbps.pretrained import resolve_pretrained
from mmtbps.registry import DATASETS, MODELS

__all__ = ['LOADERS', 'MissingFiles', 'data_settings', 'dicts_in', 'find_missing']

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


class MissingFiles(SeveralFaults, FileNotFoundError):
    """Files that a config names and that are not there."""

    heading = 'cannot start, because of missing files:'


def find_missing(cfg: Config) -> list[MissingFile]:
    """List the data set files, weights and tokenizers that a config names and that are not there.

    Args:
        cfg: a complete config.

    Returns:
        An error for each: what is missing, where it comes from, and the command that makes it.
    """
    problems = []
    datasets = [cfg[name]['dataset'] for name in LOADERS if cfg.get(name)]
    for dataset in datasets:
        problems += _missing_data(dataset)
    for settings in dicts_in(cfg.model):
        tower = _tower_of(settings)
        problems += _missing_checkpoint(settings, tower)
        problems += _missing_folders(tower.pretrained_names(settings) if tower else [])
    problems += _missing_folders(settings['tokenizer'] for settings in dicts_in(datasets)
                                 if isinstance(settings.get('tokenizer'), str))
    problems += _missing_start(cfg)
    return list({str(problem): problem for problem in problems}.values())


def data_settings(dataset: dict) -> Iterator[dict]:
    """Yield the settings of a data set, or of all those that it wraps."""
    inner = dataset.get('dataset') or dataset.get('datasets')
    if not inner:
        yield dataset
    for one in inner if isinstance(inner, list) else filter(None, [inner]):
        yield from data_settings(one)


def _missing_data(dataset: dict) -> list[MissingFile]:
    """Ask the data set, wrapped or not, which of its files are missing."""
    problems = []
    for settings in data_settings(dataset):
        built = DATASETS.build(dict(settings, lazy_init=True, pipeline=[]))
        try:
            if hasattr(built, 'sources'):
                built.sources()
        except FileNotFoundError as error:
            problems.append(_as_missing(error))
        except UserError:
            pass  # nothing is missing; the check of the data names it
    return problems


def _missing_checkpoint(settings: Mapping[str, Any], tower: type[Tower] | None
                        ) -> list[MissingFile]:
    """Find pretrained checkpoints, as MMEngine's ``init_cfg`` names them, that are not there."""
    kind = tower and tower.checkpoint_kind
    paths = {found.get('checkpoint') for found in dicts_in(settings.get('init_cfg'))}
    return [MissingFile(
        f'{path}: {reason}. It holds pretrained weights'
        f'{f" of a {tower.__name__}" if tower else ""}: fetch the original and convert it; '
        'docs/guides/prepare_data.md#weights has both commands',
        Remedy('convert_weights', dict(kind=kind, target=path)) if kind else None)
        for path in sorted(path for path in paths if isinstance(path, str))
        if '://' not in path and (reason := why_no_file(path))]


def _missing_start(cfg: Config) -> list[MissingFile]:
    """Find the checkpoint to start from, if it is not there."""
    path = cfg.get('load_from')
    if not isinstance(path, str) or '://' in path or not (
            reason := why_no_file(path, 'no such checkpoint')):
        return []
    kind = _start_kind(cfg.model)
    if cfg.get('resume') or not cfg.get('train_cfg') or not kind:
        return [MissingFile(f'{path}: {reason}')]
    return [MissingFile(
        f'{path}: {reason}. A published one is fetched and converted first; '
        'docs/guides/prepare_data.md#weights has the commands for CLIP, '
        'docs/guides/published_checkpoints.md those for other models',
        Remedy('convert_weights', dict(kind=kind, target=path)))]


def _start_kind(settings: Mapping[str, Any]) -> str | None:
    """Find the kind of published checkpoint that a model of these settings starts from."""
    kind = settings.get('type')
    model = MODELS.get(kind) if isinstance(kind, str) else kind
    if isclass(model) and issubclass(model, CrossEncoderRetriever):
        return model.published_kind(settings)
    tower = _tower_of(settings.get('image_backbone') or {})
    return tower and tower.checkpoint_kind


def _missing_folders(names) -> list[MissingFile]:
    problems = []
    for name in names:
        try:
            resolve_pretrained(name)
        except FileNotFoundError as error:
            problems.append(_as_missing(error))
    return problems


def _tower_of(settings: Mapping[str, Any]) -> type[Tower] | None:
    """Return the tower that these settings are of, if they are of one."""
    kind = settings.get('type')
    kind = MODELS.get(kind) if isinstance(kind, str) else kind
    return kind if isclass(kind) and issubclass(kind, Tower) else None


def _as_missing(error: FileNotFoundError) -> MissingFile:
    return error if isinstance(error, MissingFile) else MissingFile(str(error))


def dicts_in(node: Any) -> Iterator[Mapping[str, Any]]:
    """Yield every dict in nested settings."""
    if isinstance(node, Mapping):
        yield node
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for value in node:
            yield from dicts_in(value)
