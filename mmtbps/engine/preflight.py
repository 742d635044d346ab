"""Finds missing files before anything slow begins."""

import os
from collections.abc import Iterator

from mmengine.config import Config

from mmtbps.pretrained import resolve_pretrained
from mmtbps.registry import DATASETS

__all__ = ['find_missing', 'stop_if_missing']

_LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def find_missing(cfg: Config) -> list[str]:
    """List the data set files, weights and tokenizers that a config names and that are not there.

    Args:
        cfg: a complete config.

    Returns:
        One line each: what is missing, where it comes from, what to run.
    """
    problems = []
    datasets = [cfg[name]['dataset'] for name in _LOADERS if cfg.get(name)]
    for dataset in datasets:
        problems += _missing_data(dataset)
    for key, value in _walk([cfg.model, *datasets]):
        if key == 'checkpoint' and '://' not in value and not os.path.isfile(value):
            problems.append(
                f'{value}: no such file. It holds the image backbone\'s pretrained weights: '
                'download the original and run `python tools/convert_weights.py timm SRC '
                f'{value}`, see docs/guides/prepare_data.md')
        elif key in ('model', 'tokenizer'):
            try:
                resolve_pretrained(value)
            except FileNotFoundError as error:
                problems.append(str(error))
    return list(dict.fromkeys(problems))


def stop_if_missing(cfg: Config) -> None:
    """Leave with one clear message if anything is missing.

    Raises:
        SystemExit: listing every missing file with its cure.
    """
    problems = find_missing(cfg)
    if problems:
        raise SystemExit('Cannot start, because of missing files:\n' +
                         '\n'.join(f'  - {problem}' for problem in problems))


def _missing_data(dataset: dict) -> list[str]:
    """Ask the data set, wrapped or not, which of its files are missing."""
    inner = dataset.get('dataset') or dataset.get('datasets')
    if inner:
        return [line for one in (inner if isinstance(inner, list) else [inner])
                for line in _missing_data(one)]
    if not hasattr(built := DATASETS.build(dict(dataset, lazy_init=True, pipeline=[])), 'sources'):
        return []
    try:
        built.sources()
    except FileNotFoundError as error:
        return [str(error)]
    return []


def _walk(node) -> Iterator[tuple[str, str]]:
    """Every (key, string) in a nested config."""
    if isinstance(node, dict):
        for key, value in node.items():
            if isinstance(value, str):
                yield key, value
            else:
                yield from _walk(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from _walk(value)
