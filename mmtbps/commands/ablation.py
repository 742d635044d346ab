"""Train the arms of an ablation over several seeds and write the table.

Every finished run is kept, and one that was cut off goes on from its last checkpoint: the same
command goes on where it was stopped, and the table comes out the same. A part of the runs may be
made first, or on another machine, in the same --work-dir.

Examples:
    mmtbps ablation configs/tbps/ablation_drawn.py --seeds 3
    mmtbps ablation configs/tbps/ablation_drawn.py --arms baseline renderer --seeds 3
    mmtbps ablation configs/tbps/ablation_mixup_drawn.py --steps 1350 --seeds 2-2
    mmtbps ablation configs/clip/ablation_losses_drawn.py --work-dir work_dirs/losses
    mmtbps ablation configs/clip/ablation_methods_drawn.py --seeds 3 --work-dir work_dirs/methods
    mmtbps ablation configs/tbps/ablation_drawn.py --out work_dirs/ablation/table.md
"""

import argparse
import json
import re
from collections.abc import Sequence
from copy import deepcopy
from inspect import isclass, isroutine
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from mmengine.config import Config

from mmtbps.config_file import read_config
from mmtbps.drawing import draw_dataset
from mmtbps.drawing.edited_pairs import draw_edited_pairs
from mmtbps.errors import BadValue
from mmtbps.evaluation import random_ranks
from mmtbps.fileio import check_writable, write_durably
from mmtbps.generation.runs.retell_runner import RETOLD_FILE

from .process.command_process import run_process
from .wording.json_answers import add_json, answer

__all__ = ['add_arguments', 'arm_config', 'chosen_arms', 'chosen_seeds', 'difference_table',
           'generated_pairs', 'run', 'run_arm', 'set_steps', 'table']

INTERRUPTED = 'interrupted; the same command goes on'
MEASURES = ('R1', 'R5', 'R10', 'mAP')
#: Those of validation beside them, and of the differences.
FEW_MEASURES = ('R1', 'mAP')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the config, the runs that are made, and where."""
    parser.add_argument('config', help='a config with `arms` and `drawn_size`, and `drawn_version` '
                        'if that is 2')
    parser.add_argument('--seeds', default='3', metavar='N',
                        help='runs of each arm, with the seeds 0 to N - 1; A-B for seeds A to B')
    parser.add_argument('--steps', type=int,
                        help='length of each run, with as many validations as the config has')
    parser.add_argument('--arms', nargs='+', metavar='WORDS',
                        help='only arms whose name holds one of these words')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/ablation'))
    parser.add_argument('--out', type=Path, help='write the table there, too')
    add_json(parser)


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


def arm_config(path: str, arm: dict, seed: int, data_root: Path,
               steps: int | None = None) -> Config:
    """Build the config of one run: the arm's overrides and pairs, the seed and the length.

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
    options = deepcopy(arm.get('options') or {})  # merging takes `_delete_` out
    cfg.merge_from_dict(dict(options, **{'randomness.seed': seed}))
    for key in ('arms', 'drawn_size', 'drawn_version', 'text_generation', 'feature_mixup'):
        cfg.pop(key, None)
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        for step in loader.dataset.pipeline:
            if step.get('tokenizer', '').startswith('./'):  # drawn with the data
                step.tokenizer = f'./{data_root}/tokenizer'
    if steps is not None:
        set_steps(cfg, steps)
    name_classes(cfg._cfg_dict)
    return cfg


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


def run_arm(path: str, arm: dict, seed: int, work_dir: Path, data_root: Path,
            steps: int | None = None) -> dict:
    """Train, or go on; pick the checkpoint on val, test; or read what a former call left.

    Returns:
        The measures of the test set, and those of validation as ``val``, where the checkpoint is
        still there to ask.

    Raises:
        BadValue: A former call had other settings.
    """
    parts = [work_dir, *([f'{steps}_steps'] if steps else []),
             re.sub(r'\W+', '_', arm['name']).strip('_'), f'seed{seed}']
    folder = Path(*parts)
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
    found = json.loads(metrics.read_text(encoding='utf-8'))
    if (file := folder / 'metrics_val.json').is_file():
        found['val'] = json.loads(file.read_text(encoding='utf-8'))
    return found


def table(results: dict[str, list[dict]], chance: dict[str, float]) -> str:
    """Write mean and spread of each arm as Markdown, validation beside test."""
    beside = FEW_MEASURES if all('val' in run for runs in results.values() for run in runs) else ()
    titles = [*MEASURES, *(f'val {measure}' for measure in beside)]
    lines = ['| arm | ' + ' | '.join(titles) + ' | n |', '|---' * (len(titles) + 2) + '|']
    for name, runs in results.items():
        cells = [word_spread([run[f't2i/{measure}'] for run in runs]) for measure in MEASURES]
        cells += [word_spread([run['val'][f't2i/{measure}'] for run in runs])
                  for measure in beside]
        lines.append(f'| {name} | ' + ' | '.join(cells) + f' | {len(runs)} |')
    cells = [f'{chance[measure]:.1f}' if measure in chance else '' for measure in MEASURES]
    lines.append('| chance | ' + ' | '.join([*cells, *('' for _ in beside)]) + ' | |')
    return '\n'.join(lines)


def word_spread(values: Sequence[float], sign: str = '') -> str:
    """Word mean and standard deviation; of one value its own."""
    spread = f' ± {stdev(values):.1f}' if len(values) > 1 else ''
    return f'{mean(values):{sign}.1f}{spread}'


def difference_table(results: dict[str, list[dict]]) -> str:
    """Write how far each arm is from the first, seed by seed, as Markdown.

    Runs of one seed begin with the same weights and data in the same order, so that their
    difference may spread less than they do. In brackets stands the number of seeds with which the
    arm is ahead.
    """
    (first, base), *others = results.items()
    sides = [('test', lambda run: run)]
    if all('val' in run for runs in results.values() for run in runs):
        sides.append(('val', lambda run: run['val']))
    titles = [f'{side} {measure}' for measure in FEW_MEASURES for side, _ in sides]
    lines = [f'Differences from {first!r}, seed by seed:', '',
             '| arm | ' + ' | '.join(titles) + ' | n |', '|---' * (len(titles) + 2) + '|']
    for name, runs in others:
        cells = []
        for measure in FEW_MEASURES:
            for _, of in sides:
                apart = [of(run)[f't2i/{measure}'] - of(other)[f't2i/{measure}']
                         for run, other in zip(runs, base, strict=True)]
                cells.append(f'{word_spread(apart, "+")} ({sum(value > 0 for value in apart)})')
        lines.append(f'| {name} | ' + ' | '.join(cells) + f' | {len(runs)} |')
    return '\n'.join(lines)


def chosen_seeds(words: str) -> range:
    """Read the seeds of ``N`` or ``A-B``.

    Raises:
        BadValue: It is neither, or there would be none.
    """
    match = re.fullmatch(r'(?:(\d+)-)?(\d+)', words.strip())
    if match is None:
        raise BadValue(f'--seeds must be a number, or two as in 1-2, got {words!r}')
    seeds = range(int(match[2])) if match[1] is None else range(int(match[1]), int(match[2]) + 1)
    if not seeds:
        raise BadValue(f'--seeds must be at least 1, or a range such as 1-2, got {words}')
    return seeds


def chosen_arms(cfg: Config, words: list[str] | None) -> list[dict]:
    """Choose the arms whose name holds one of the words; all without words.

    Raises:
        BadValue: There is none.
    """
    arms = [arm for arm in cfg.arms if not words or any(word in arm['name'] for word in words)]
    if not arms:
        raise BadValue(f'no arm has a name with {words}; there are: ' +
                       ', '.join(arm['name'] for arm in cfg.arms))
    return arms


def run(args: argparse.Namespace) -> None:
    """Make the runs that are left and print the table."""
    seeds = chosen_seeds(args.seeds)
    if args.steps is not None and args.steps < 1:
        raise BadValue(f'--steps must be at least 1, got {args.steps}')
    cfg = read_config(args.config, 'arms', 'drawn_size')
    check_writable(args.work_dir, folder=True)
    if args.out:
        check_writable(args.out)
    arms = chosen_arms(cfg, args.arms)
    data_root = draw_dataset(cfg.test_dataloader.dataset.data_root, size=cfg.drawn_size,
                             version=cfg.get('drawn_version', 1))
    results: dict[str, list[dict]] = {arm['name']: [] for arm in arms}
    for seed in seeds:
        for arm in arms:
            results[arm['name']].append(
                run_arm(args.config, arm, seed, args.work_dir, data_root, args.steps))
    test = [r for r in json.loads((data_root / 'reid_raw.json').read_text(encoding='utf-8'))
            if r['split'] == 'test']
    chance = random_ranks([r['id'] for r in test for _ in r['captions']], [r['id'] for r in test])
    text = table(results, chance)
    if len(results) > 1:
        text += f'\n\n{difference_table(results)}'
    print(text)
    if args.out:
        write_durably(args.out, text + '\n')
    answer(dict(arms=[dict(name=name, runs=list_runs(seeds, runs))
                      for name, runs in results.items()], chance=chance))


def list_runs(seeds: Sequence[int], runs: list[dict]) -> list[dict]:
    """List the runs of an arm for a script: seed, measures of the test set and of validation."""
    return [dict(seed=seed, test={key: value for key, value in run.items() if key != 'val'},
                 val=run.get('val')) for seed, run in zip(seeds, runs, strict=True)]
