"""Measure models on other data, changed captions, worse pictures and more strangers.

What was measured is kept in DIR: the same command goes on where it was stopped, and a further model
or condition joins the table. Training with noisy pairs has a config of its own, for mmtbps
ablation: configs/rde/ablation_noise_drawn.py.

Examples:
    mmtbps robustness DIR --data vit_bert_base_drawn --model base vit_bert_base_drawn last.pth
    mmtbps robustness DIR --data irra_cuhk irra_icfg --model irra FOLDER --model clip hf:a/b
    mmtbps robustness DIR --data CONFIG --model base FOLDER --conditions blur "truncation 0.5"
    mmtbps robustness DIR --data CONFIG --model base FOLDER --distractors strangers/imgs
"""

import argparse
import hashlib
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mmtbps.config_file import read_config
from mmtbps.datasets.images import read_picture
from mmtbps.errors import BadValue, MissingFile
from mmtbps.fileio import JsonlWriter, check_writable, write_durably
from mmtbps.robustness import (
    CLEAN,
    CONDITIONS,
    Outcome,
    RobustnessRun,
    Subjects,
    choose_conditions,
    condition_table,
    cross_domain_table,
    read_outcomes,
    read_subjects,
)
from mmtbps.robustness.picture import draw_conditions
from mmtbps.search.encoders.loading import load_encoder
from mmtbps.search.media.images import list_images, read_image

from .wording.json_answers import add_json, answer
from .wording.licence_notice import print_model_notice
from .wording.progress import progress

__all__ = ['add_arguments', 'run']

INTERRUPTED = 'interrupted; the same command goes on'
OUTCOMES, TABLE, PICTURE = 'outcomes.jsonl', 'table.md', 'conditions.png'
_BATCH = 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add models, test sets, and what is done to them."""
    parser.add_argument('out', metavar='DIR', type=Path, help='folder of the outcomes')
    parser.add_argument('--model', nargs='+', action='append', required=True,
                        metavar=('NAME', 'MODEL'), help='a name for the table, the model (a '
                        'folder, hf:NAME, a config) and the checkpoint of a config')
    parser.add_argument('--data', nargs='+', required=True, metavar='CONFIG',
                        help='configs whose test sets are asked; several give the cross-domain '
                        'table')
    parser.add_argument('--conditions', nargs='*', help='kinds or names (default: all; none with '
                        'no word)')
    parser.add_argument('--distractors', type=Path, metavar='FOLDER',
                        help='images of strangers who join the gallery')
    parser.add_argument('--strangers', type=int, nargs='+', metavar='N', help='so many of them '
                        '(default: a tenth, a third and all)')
    parser.add_argument('--seed', type=int, default=0, help='of the changes (default: %(default)s)')
    parser.add_argument('--device', help='cpu, cuda, cuda:1 (default: the best there is)')
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Measure what is missing and write the tables."""
    finish(args, measure(args))


def measure(args: argparse.Namespace) -> list[Outcome]:
    """Measure what is missing."""
    models = read_models(args.model)
    if args.seed < 0:
        raise BadValue(f'--seed must not be negative, got {args.seed}')
    conditions = [] if args.conditions == [] else choose_conditions(args.conditions)
    check_writable(args.out, folder=True)
    sets = read_sets(args.data)
    strangers = find_strangers(args, sets)
    outcomes = []
    with JsonlWriter(args.out / OUTCOMES) as log:
        for name, model, weights in models:
            encoder = load_encoder(model, weights, args.device, notify=print_model_notice)
            runs = [RobustnessRun(name, encoder, subjects, read_picture, log, args.seed, progress)
                    for subjects in sets]
            outcomes += [one for part in runs
                         for one in [part.clean(), *map(part.under, conditions)]]
            if strangers:
                outcomes += grow(runs, strangers, args.strangers)
    return outcomes


def read_sets(configs: Sequence[str]) -> list[Subjects]:
    """Read the test sets; those of one name get that of their config, too.

    Raises:
        BadValue: two have one name all the same.
    """
    sets = [read_subjects(read_config(name, 'test_dataloader').test_dataloader.dataset)
            for name in configs]
    counts = Counter(one.name for one in sets)
    sets = [replace(one, name=f'{one.name} ({Path(config).stem})') if counts[one.name] > 1 else one
            for one, config in zip(sets, configs, strict=True)]
    if len({one.name for one in sets}) < len(sets):
        raise BadValue('two configs of --data have test sets of one name: '
                       + ', '.join(one.name for one in sets))
    return sets


def read_models(words: Sequence[Sequence[str]]) -> list[tuple[str, str, str | None]]:
    """Read name, model and checkpoint of each ``--model``.

    Raises:
        BadValue: one has another number of words, or two have one name.
    """
    if wrong := [' '.join(one) for one in words if len(one) not in (2, 3)]:
        raise BadValue(f'--model takes a name, a model and perhaps a checkpoint, got {wrong[0]!r}')
    if len({one[0] for one in words}) < len(words):
        raise BadValue('two models have one name: ' + ', '.join(one[0] for one in words))
    return [(one[0], one[1], one[2] if len(one) == 3 else None) for one in words]


def find_strangers(args: argparse.Namespace, sets: Sequence[Subjects]) -> list[Path]:
    """List the images of strangers.

    Args:
        args: the folder and how many are asked for.
        sets: test sets, whose people are none.

    Raises:
        MissingFile: the folder is missing or has none.
        BadValue: more are asked for than there are, or some are pictures of a test set.
    """
    if args.distractors is None and args.strangers:
        raise BadValue('--strangers says how many; it needs --distractors FOLDER, who they are')
    if args.distractors is None:
        return []
    if not args.distractors.is_dir() or not (paths := list_images(args.distractors)):
        raise MissingFile(f'{args.distractors}: no such folder, or no image in it')
    asked_for = {Path(path).resolve() for one in sets for path in one.paths}
    if own := [path for path in paths if path.resolve() in asked_for]:
        raise BadValue(f'{args.distractors}: {len(own)} of {len(paths)} images are pictures of a '
                       f'test set, whose people are no strangers to it, the first {own[0]}; name '
                       'a folder of other people')
    args.strangers = args.strangers or sorted({
        max(1, len(paths) // 10), max(1, len(paths) // 3), len(paths)})
    if not 0 < min(args.strangers) <= max(args.strangers) <= len(paths):
        raise BadValue(f'--strangers must be from 1 to {len(paths)}, the images of '
                       f'{args.distractors}, got {args.strangers}')
    return paths


def grow(runs: Sequence[RobustnessRun], paths: Sequence[Path],
         counts: Sequence[int]) -> list[Outcome]:
    """Measure with more and more strangers, who are encoded once for all test sets, if at all."""
    missing = max((count for part in runs for count in counts if part.lacks(count)), default=0)
    batches = [paths[start:min(start + _BATCH, missing)] for start in range(0, missing, _BATCH)]
    encoder = runs[0].encoder
    features = [encoder.encode_images([read_image(path) for path in batch])
                for batch in progress(batches, f'{runs[0].model}: strangers')]
    strangers = np.concatenate(features) if features else np.empty((0, 0), np.float32)
    return [part.among(strangers, count, _digest(paths[:count]))
            for part in runs for count in counts]


def _digest(paths: Sequence[Path]) -> str:
    """Say who strangers are, by the names and sizes of their files."""
    named = [(path.name, path.stat().st_size) for path in paths]
    return hashlib.sha256(repr(named).encode('utf-8', 'surrogateescape')).hexdigest()


def finish(args: argparse.Namespace, outcomes: Sequence[Outcome]) -> None:
    """Write tables and picture of all that DIR knows, and print them."""
    known = read_outcomes(args.out / OUTCOMES)
    seeds = {(one.model, one.data): seed for seed, one in known if one.condition == CLEAN}
    # Of a line that somebody took out the others lack what they are compared with.
    known = sorted((one for _, one in known if (one.model, one.data) in seeds), key=_place)
    parts = [cross_domain_table(known)]
    for model, data in seeds:
        of = [one for one in known if (one.model, one.data) == (model, data)]
        parts.append(f'{model} on {data}, seed {seeds[model, data]}:\n\n{condition_table(of)}')
    text = '\n\n'.join(parts)
    write_durably(args.out / TABLE, text + '\n')
    if draw_conditions(known, args.out / PICTURE):
        print(args.out / PICTURE, file=sys.stderr)
    print(text)
    answer([one.to_json() for one in outcomes])


def _place(outcome: Outcome) -> tuple[int, int]:
    """Return the place of an outcome in the table: as the conditions stand, strangers last."""
    names = list(CONDITIONS)
    if outcome.condition in names:
        return names.index(outcome.condition), 0
    return len(names) if outcome.distractors else -1, outcome.distractors
