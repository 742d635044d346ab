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
from pathlib import Path

from mmengine.config import Config

from mmtbps.config_file import read_config
from mmtbps.drawing import draw_dataset
from mmtbps.errors import BadValue
from mmtbps.evaluation import random_ranks
from mmtbps.fileio import check_writable, write_durably

from .trials.runs import check_trials, chosen_seeds, run_arm
from .trials.tables import difference_table, list_runs, sign_flip_table, table
from .wording.json_answers import add_json, answer

__all__ = ['add_arguments', 'chosen_arms', 'run']

INTERRUPTED = 'interrupted; the same command goes on'


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
    check_trials([(cfg.filename, arm) for arm in arms], data_root, args.steps)
    results: dict[str, list[dict]] = {arm['name']: [] for arm in arms}
    for seed in seeds:
        for arm in arms:
            results[arm['name']].append(
                run_arm(cfg.filename, arm, seed, args.work_dir, data_root, args.steps))
    test = [r for r in json.loads((data_root / 'reid_raw.json').read_text(encoding='utf-8'))
            if r['split'] == 'test']
    chance = random_ranks([r['id'] for r in test for _ in r['captions']], [r['id'] for r in test])
    text = table(results, chance)
    if len(results) > 1:
        text += f'\n\n{difference_table(results)}\n\n{sign_flip_table(results)}'
    print(text)
    if args.out:
        write_durably(args.out, text + '\n')
    answer(dict(arms=[dict(name=name, runs=list_runs(seeds, runs))
                      for name, runs in results.items()], chance=chance))


