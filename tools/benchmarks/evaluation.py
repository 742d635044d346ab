"""Evaluation: our evaluators, a full argsort, and the similarity product that none can avoid.

Features are random but know their person, so that the measures are neither 0 nor 100. Each
evaluator runs in a process of its own; its memory is the growth of the peak beyond the
features it is given. All must give the same numbers, or the benchmark fails.

`--distractors N` adds N entries of strangers to the gallery, in files. `evaluate_streamed` reads
them from there; the others get all features in memory, and are left out where the matrix of
similarities would be larger than that of ICFG-PEDES.
"""

import argparse
import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from mmtbps.evaluation import evaluate_ranking, evaluate_streamed, open_features

from .plain_evaluation import plain_evaluation

SIZES = {  # queries, gallery, people of the official test splits
    'rstp': (2_000, 1_000, 200), 'cuhk': (6_156, 3_074, 1_000), 'icfg': (19_848, 19_848, 1_000)}
MEASURES = ('R1', 'R5', 'R10', 'mAP', 'mAP_trapz', 'mINP')
TOLERANCE = 1e-3  # percentage points: the plain evaluator averages in float32
LARGEST_MATRIX = 400_000_000
QUERIES_AT_ONCE, ENTRIES_AT_ONCE = 1024, 65_536  # what our evaluators take by themselves


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options beside ``--threads`` and ``--out``."""
    parser.add_argument('--sizes', nargs='+', choices=SIZES, default=['cuhk', 'icfg'],
                        help='test splits to imitate (default: cuhk icfg)')
    parser.add_argument('--distractors', type=int, default=0, metavar='N',
                        help='entries of strangers to add, streamed from disk (default: none)')
    parser.add_argument('--store', choices=['float16', 'float32'], default='float16',
                        help='how distractors are stored (default: float16)')
    parser.add_argument('--width', type=int, default=768, help='feature width (default: 768)')
    parser.add_argument('--repeats', type=int, default=1, help='runs; the fastest counts')


def run(args: argparse.Namespace) -> list[dict]:
    """Measure the evaluators at each size."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        write_distractors(Path(folder), args.distractors, args.width, args.store)
        for size in args.sizes:
            queries, gallery, _ = SIZES[size]
            gallery += args.distractors
            runs = {}
            for name in _evaluators(queries * gallery, args.distractors):
                print(f'{size}: {name} ...', file=sys.stderr, flush=True)
                with ProcessPoolExecutor(1, mp_context=get_context('spawn')) as own_process:
                    runs[name] = own_process.submit(
                        measure, name, size, folder, args.width, args.threads,
                        args.repeats).result()
            _demand_same_numbers(size, runs)
            rows += [_row(size, f'{queries:,} x {gallery:,}', name, runs) for name in runs]
    return rows


def measure(name: str, size: str, folder: str, width: int, threads: int, repeats: int) -> dict:
    """Measure time, growth of the peak memory and numbers of one evaluator, in this process."""
    torch.set_num_threads(threads)
    features = make_features(*SIZES[size], width)
    distractors = open_features(folder) if any(Path(folder).iterdir()) else []
    if name == 'evaluate_streamed':
        features = *features[:2], [features[2:], *distractors]
    else:
        features = _join(*features, distractors, only_count=name == 'product alone')
    evaluate = EVALUATORS[name]
    evaluate_ranking(*(torch.eye(4), range(4)) * 2)  # load libraries before the clock runs
    before, times = _peak_megabytes(), []
    for _ in range(repeats):
        start, cpu_start = time.perf_counter(), time.process_time()
        numbers = evaluate(*features)
        times.append((time.perf_counter() - start, time.process_time() - cpu_start))
    seconds, cpu_seconds = min(times)
    return dict(seconds=seconds, cpu_seconds=cpu_seconds, numbers=numbers,
                megabytes=_peak_megabytes() - before)


def product_alone(queries: torch.Tensor, part: torch.Tensor, entries: int) -> None:
    """Compute the products of all queries with so many entries, which no exact evaluator avoids.

    One part, already of length 1 and in memory, stands for all.
    """
    memory = queries.new_empty(min(QUERIES_AT_ONCE, len(queries)) * len(part))
    for start in range(0, entries, len(part)):
        now = part[:entries - start]
        for chunk in queries.split(QUERIES_AT_ONCE):
            scores = memory[:len(chunk) * len(now)].view(-1, len(now))
            torch.mm(chunk, now.T, out=scores)


EVALUATORS = {'product alone': product_alone, 'full argsort': plain_evaluation,
              'evaluate_ranking': evaluate_ranking, 'evaluate_streamed': evaluate_streamed}


def make_features(queries: int, gallery: int, people: int, width: int) -> tuple:
    """Draw ``(query features, query ids, gallery features, gallery ids)``, the same each time."""
    draw = torch.Generator().manual_seed(0)
    centres = torch.randn(people, width, generator=draw)
    sides = []
    for count in (queries, gallery):
        ids = torch.arange(count) % people
        features = torch.empty(count, width)
        for rows in torch.arange(count).split(512):  # piecewise: no peak before the measurement
            noise = torch.randn(len(rows), width, generator=draw)
            features[rows] = centres[ids[rows]] + 3.5 * noise
        sides += [features, ids]
    return tuple(sides)


def write_distractors(folder: Path, count: int, width: int, store: str) -> None:
    """Write features of strangers: each a centre and noise of its own, which is noise."""
    draw = np.random.default_rng(0)
    for start in range(0, count, ENTRIES_AT_ONCE):
        rows = min(ENTRIES_AT_ONCE, count - start)
        np.save(folder / f'part_{start:09d}.npy',
                draw.standard_normal((rows, width), dtype=np.float32).astype(store))


def _evaluators(similarities: int, distractors: int) -> list[str]:
    left_out = set() if distractors else {'evaluate_streamed'}
    if similarities > LARGEST_MATRIX:
        left_out |= {'full argsort', 'evaluate_ranking'}
    return [name for name in EVALUATORS if name not in left_out]


def _join(queries: torch.Tensor, query_ids: torch.Tensor, gallery: torch.Tensor,
          ids: torch.Tensor, distractors: list, only_count: bool) -> tuple:
    entries = len(gallery) + sum(len(part.features) for part in distractors)
    if only_count:
        return queries, gallery.new_ones(min(entries, ENTRIES_AT_ONCE), gallery.shape[1]), entries
    joined = torch.cat([gallery, *(part.features[:].float() for part in distractors)])
    return queries, query_ids, joined, torch.cat([ids, ids.new_full((entries - len(ids),), -1)])


def _row(size: str, queries_x_gallery: str, name: str, runs: dict[str, dict]) -> dict:
    result, slowest = runs[name], runs.get('full argsort')
    numbers = result['numbers'] or {}
    return {'size': size, 'queries x gallery': queries_x_gallery, 'evaluator': name,
            'seconds': round(result['seconds'], 2),
            'CPU seconds': round(result['cpu_seconds'], 2),
            'x the product': round(result['seconds'] / runs['product alone']['seconds'], 2),
            'times faster': round(slowest['seconds'] / result['seconds'], 1) if slowest else '',
            'peak memory (MB)': round(result['megabytes']),
            **{measure: round(numbers[measure], 2) if numbers else '' for measure in MEASURES}}


def _peak_megabytes() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == 'darwin' else 2**10)


def _demand_same_numbers(size: str, runs: dict[str, dict]) -> None:
    names = [name for name in runs if runs[name]['numbers']]
    for name in names[1:]:
        for measure in MEASURES:
            first, other = (runs[one]['numbers'][measure] for one in (names[0], name))
            if abs(first - other) > TOLERANCE:
                raise SystemExit(f'{size}: {measure} differs, {first} by {names[0]} and '
                                 f'{other} by {name}')
