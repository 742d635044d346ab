"""Runs of a trial: a config with the changes of an arm, a seed and a length, kept in a folder."""

import json
import re
from collections.abc import Sequence
from copy import deepcopy
from inspect import isclass, isroutine
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmtbps.drawing.counted_captions import write_counted_captions
from mmtbps.drawing.edited_pairs import draw_edited_pairs
from mmtbps.errors import BadValue
from mmtbps.fileio import write_durably
from mmtbps.generation.runs.retell_runner import RETOLD_FILE

from ..process.command_process import run_process
from .tables import MOST_SEEDS

__all__ = ['arm_config', 'arm_folder', 'check_trials', 'chosen_seeds', 'generated_pairs',
           'name_classes', 'run_arm', 'set_steps']


def generated_pairs(kind: str, data_root: Path) -> Path:
    """Make generated pairs on first use; return their annotation file."""
    folder = data_root.with_name(f'{data_root.name}-{kind}')
    if kind == 'renderer':
        return draw_edited_pairs(data_root, folder)
    # Equal weights: an arm asks for the pairs alone.
    target, preset, merge = folder / 'pdg_pairs.jsonl', f'pdg_{kind}', ['--weight-floor', '1']
    if kind == 'retold':
        target, preset, merge = folder / RETOLD_FILE, 'retell_rules', []
    if not target.is_file():
        for command in (['plan'], ['run'], ['merge', *merge]):
            run_process('generate', *command, preset,
                        '--cfg-options', f'dataset.data_root={data_root}',
                        f'generation.runner.out_dir={folder}')
    return target


def arm_config(path: str, arm: dict, seed: int, data_root: Path | None,
               steps: int | None = None) -> Config:
    """Build the config of one run: the arm's overrides, pairs or captions, the seed, the length.

    Raises:
        BadValue: A number of steps for a run that counts epochs.
    """
    cfg = Config.fromfile(path)
    if arm.get('pairs'):
        pairs = generated_pairs(arm['pairs'], data_root).resolve()
        folder = dict(renderer=pairs.parent / 'imgs', retold=Path('imgs')).get(
            arm['pairs'], pairs.parent)
        cfg.train_dataloader.dataset.update(
            ann_file=['reid_raw.json', str(pairs)],
            data_prefix=dict(img_path=['imgs', str(folder)]))
    if arm.get('facts'):
        cfg.train_dataloader.dataset.ann_file = str(
            write_counted_captions(data_root, arm['facts']).resolve())
    options = deepcopy(arm.get('options') or {})  # merging takes `_delete_` out
    cfg.merge_from_dict(dict(options, **{'randomness.seed': seed}))
    for key in ('arms', 'drawn_size', 'drawn_version', 'text_generation', 'feature_mixup'):
        cfg.pop(key, None)
    loaders = [cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader] if data_root else []
    for loader in filter(None, loaders):
        for step in loader.dataset.pipeline:
            if step.get('tokenizer', '').startswith('./'):  # drawn with the data
                here = '' if data_root.is_absolute() else './'
                step.tokenizer = f'{here}{data_root}/tokenizer'
    if steps is not None:
        set_steps(cfg, steps)
    name_classes(cfg._cfg_dict)
    return cfg


def check_trials(trials: Sequence[tuple[str, dict]], data_root: Path | None,
                 steps: int | None = None) -> None:
    """Refuse before the first training what would stop a later one, or make its number unfair.

    Args:
        trials: config and arm of each.
        data_root: drawn data set of the arms.
        steps: length of each run.

    Raises:
        BadValue: Two arms share a folder, or a config has no checkpoint that validation chooses,
            or validates on what it is tested on.
    """
    folders: dict[str, str] = {}
    for _, arm in trials:
        if not arm.get('name'):
            raise BadValue(f'an arm has no name: {arm}')
        if other := folders.get(arm_folder(arm)):
            raise BadValue(f'two arms would share the folder {arm_folder(arm)}: {other!r} and '
                           f'{arm["name"]!r}; rename one')
        folders[arm_folder(arm)] = arm['name']
    for path, arm in trials:
        _check_selection(arm_config(path, arm, 0, data_root, steps), f'{path}, {arm["name"]!r}')


def _check_selection(cfg: Config, where: str) -> None:
    checkpoint = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    if not cfg.get('val_dataloader') or not checkpoint.get('save_best'):
        raise BadValue(f'{where}: no checkpoint is chosen on validation; it needs val_dataloader '
                       "and default_hooks.checkpoint.save_best='t2i/R1'")
    sides = [{key: loader.dataset.get(key) for key in ('type', 'data_root', 'ann_file', 'split')}
             for loader in (cfg.val_dataloader, cfg.test_dataloader)]
    if sides[0] == sides[1]:
        raise BadValue(f'{where}: val_dataloader reads what test_dataloader reads (split '
                       f'{sides[0]["split"]!r}), so that the checkpoint would be chosen on the '
                       'test set; give it a split of its own, or hold people out of train')


def arm_folder(arm: dict) -> str:
    """Name the folder of an arm.

    Example:
        >>> arm_folder(dict(name='RDE, 20% moved'))
        'RDE_20_moved'
    """
    return re.sub(r'\W+', '_', arm['name']).strip('_')


def set_steps(cfg: Config, steps: int) -> None:
    """Give a run another length, with as many validations and checkpoints as before.

    Raises:
        BadValue: The run counts epochs.
    """
    if 'max_iters' not in cfg.train_cfg:
        raise BadValue(f'--steps is for configs that count steps; {cfg.filename} has no '
                       'train_cfg.max_iters')
    share = steps / cfg.train_cfg.max_iters
    checkpoint = cfg.default_hooks.checkpoint
    cfg.train_cfg.val_interval = max(1, round(cfg.train_cfg.val_interval * share))
    checkpoint.interval = max(1, round(checkpoint.interval * share))
    cfg.train_cfg.max_iters = steps


def name_classes(settings: Any) -> Any:
    """Replace classes and functions in settings by their names, which a config file can hold.

    Merging an arm's options turns what the config imported into the class itself.
    """
    if isinstance(settings, dict):
        for key, value in list(dict.items(settings)):  # a ConfigDict's own would import every class
            dict.__setitem__(settings, key, name_classes(value))
    elif isinstance(settings, list):
        settings[:] = [name_classes(value) for value in settings]
    elif isinstance(settings, tuple):
        return tuple(name_classes(value) for value in settings)
    elif isclass(settings) or isroutine(settings):
        return f'{settings.__module__}.{settings.__qualname__}'
    return settings


def run_arm(path: str, arm: dict, seed: int, work_dir: Path, data_root: Path | None,
            steps: int | None = None) -> dict:
    """Train, or go on; pick the checkpoint on val, test; or read what a former call left.

    Returns:
        The measures of the test set, and those of validation as ``val``, where the checkpoint is
        still there to ask.

    Raises:
        BadValue: A former call had other settings, or no checkpoint was chosen.
    """
    folder = Path(work_dir, *([f'{steps}_steps'] if steps else []), arm_folder(arm), f'seed{seed}')
    config, metrics = folder.with_suffix('.py'), folder / 'metrics.json'
    settings = arm_config(path, arm, seed, data_root, steps).pretty_text
    begun = metrics.is_file() or any(folder.glob('*.pth'))
    if begun and config.is_file() and config.read_text(encoding='utf-8') != settings:
        raise BadValue(f'{folder}: this run had other settings than {path} has now; choose another '
                       '--work-dir')
    if not metrics.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        write_durably(config, settings)
        run_process('train', config, '--work-dir', folder, '--resume')
    best = max(folder.glob('best_*.pth'), key=lambda file: file.stat().st_mtime, default=None)
    for split, file in (('val', folder / 'metrics_val.json'), ('test', metrics)):
        if best is not None and not file.is_file():
            run_process('test', config, best, '--work-dir', folder, '--split', split,
                        '--out', file)
    if not metrics.is_file():
        raise BadValue(f'{folder}: the training left no best checkpoint; did it validate at all?')
    found = json.loads(metrics.read_text(encoding='utf-8'))
    if (file := folder / 'metrics_val.json').is_file():
        found['val'] = json.loads(file.read_text(encoding='utf-8'))
    return found


def chosen_seeds(words: str) -> range:
    """Read the seeds of ``N`` or ``A-B``.

    Raises:
        BadValue: It is neither, or there would be none, or more than can be compared.
    """
    match = re.fullmatch(r'(?:(\d+)-)?(\d+)', words.strip())
    if match is None:
        raise BadValue(f'--seeds must be a number, or two as in 1-2, got {words!r}')
    seeds = range(int(match[2])) if match[1] is None else range(int(match[1]), int(match[2]) + 1)
    if not seeds:
        raise BadValue(f'--seeds must be at least 1, or a range such as 1-2, got {words}')
    if len(seeds) > MOST_SEEDS:
        raise BadValue(f'--seeds must be at most {MOST_SEEDS}, got {words}')
    return seeds
