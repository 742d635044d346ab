"""Train configs with several seeds and write mean, spread and paired tests.

Each run picks its checkpoint on the validation split and is then tested; every finished run is
kept, and the same command goes on where it was stopped. Of several configs the others are compared
with the first, seed by seed: runs of one seed begin alike where the models are the same. Under two
points of R1 is noise with three seeds.

Examples:
    mmtbps multi-seed vit_bert_base_drawn --seeds 3
    mmtbps multi-seed vit_bert_base_drawn vit_bert_pdg_drawn --seeds 5 --out table.md
    mmtbps multi-seed irra_cuhk --seeds 2-2 --work-dir /shared/irra
"""

import argparse
from pathlib import Path

from mmtbps.config_file import read_config
from mmtbps.errors import BadValue
from mmtbps.fileio import check_writable, write_durably

from .trials.runs import check_trials, chosen_seeds, run_arm
from .trials.tables import difference_table, list_runs, sign_flip_table, table
from .wording.json_answers import add_json, answer

__all__ = ['add_arguments', 'run']

INTERRUPTED = 'interrupted; the same command goes on'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the configs, the seeds, and where the runs are kept."""
    parser.add_argument('configs', nargs='+', metavar='CONFIG', help='configs that train; the '
                        'others are compared with the first')
    parser.add_argument('--seeds', default='3', metavar='N',
                        help='runs of each, with the seeds 0 to N - 1; A-B for seeds A to B')
    parser.add_argument('--steps', type=int, help='length of each run of configs that count steps')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/multi_seed'))
    parser.add_argument('--out', type=Path, help='write the tables there, too')
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Make the runs that are left and print the tables."""
    seeds = chosen_seeds(args.seeds)
    if args.steps is not None and args.steps < 1:
        raise BadValue(f'--steps must be at least 1, got {args.steps}')
    names = [Path(config).stem for config in args.configs]
    if len({*names}) < len(names):
        raise BadValue(f'two configs have one name: {", ".join(names)}')
    paths = {name: read_config(config, 'train_dataloader', 'val_dataloader').filename
             for name, config in zip(names, args.configs, strict=True)}
    check_writable(args.work_dir, folder=True)
    if args.out:
        check_writable(args.out)
    check_trials([(path, dict(name=name)) for name, path in paths.items()], None, args.steps)
    results: dict[str, list[dict]] = {name: [] for name in names}
    for seed in seeds:
        for name, path in paths.items():
            results[name].append(run_arm(path, dict(name=name), seed, args.work_dir, None,
                                         args.steps))
    text = table(results, None)
    if len(results) > 1:
        text += f'\n\n{difference_table(results)}\n\n{sign_flip_table(results)}'
    print(text)
    if args.out:
        write_durably(args.out, text + '\n')
    answer([dict(name=name, runs=list_runs(seeds, runs)) for name, runs in results.items()])
