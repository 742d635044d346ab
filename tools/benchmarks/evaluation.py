"""Evaluation: evaluate_ranking against a full-argsort evaluator, at the sizes of the test sets.

Features are random but know their person, so that the measures are neither 0 nor 100. Each
evaluator runs in a process of its own; its memory is the growth of the peak beyond the
features. Both must give the same numbers, or the benchmark fails.
"""

import argparse
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import torch

from mmtbps.evaluation import evaluate_ranking

from .plain_evaluation import plain_evaluation

SIZES = {  # queries, gallery, people of the official test splits
    'rstp': (2_000, 1_000, 200), 'cuhk': (6_156, 3_074, 1_000), 'icfg': (19_848, 19_848, 1_000)}
EVALUATORS = {'full argsort': plain_evaluation, 'evaluate_ranking': evaluate_ranking}
MEASURES = ('R1', 'R5', 'R10', 'mAP', 'mAP_trapz', 'mINP')
TOLERANCE = 1e-3  # percentage points: the plain evaluator averages in float32


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options beside ``--threads`` and ``--out``."""
    parser.add_argument('--sizes', nargs='+', choices=SIZES, default=['cuhk', 'icfg'],
                        help='test splits to imitate (default: cuhk icfg)')
    parser.add_argument('--width', type=int, default=768, help='feature width (default: 768)')
    parser.add_argument('--repeats', type=int, default=1, help='runs; the fastest counts')


def run(args: argparse.Namespace) -> list[dict]:
    """Measure both evaluators at each size."""
    rows = []
    for size in args.sizes:
        runs = {}
        for name in EVALUATORS:
            print(f'{size}: {name} ...', file=sys.stderr, flush=True)
            with ProcessPoolExecutor(1, mp_context=get_context('spawn')) as own_process:
                runs[name] = own_process.submit(
                    measure, name, size, args.width, args.threads, args.repeats).result()
        _demand_same_numbers(size, runs)
        slowest = runs['full argsort']['seconds']
        for name, result in runs.items():
            queries, gallery, _ = SIZES[size]
            rows.append({
                'size': size, 'queries x gallery': f'{queries:,} x {gallery:,}',
                'evaluator': name, 'seconds': round(result['seconds'], 2),
                'CPU seconds': round(result['cpu_seconds'], 2),
                'times faster': round(slowest / result['seconds'], 1),
                'peak memory (MB)': round(result['megabytes']),
                **{measure: round(result['numbers'][measure], 2) for measure in MEASURES}})
    return rows


def measure(name: str, size: str, width: int, threads: int, repeats: int) -> dict:
    """Time, growth of the peak memory and numbers of one evaluator, in this process."""
    torch.set_num_threads(threads)
    features = make_features(*SIZES[size], width)
    EVALUATORS[name](*(part[:64] for part in features))  # load libraries before the clock runs
    before, times = _peak_megabytes(), []
    for _ in range(repeats):
        start, cpu_start = time.perf_counter(), time.process_time()
        numbers = EVALUATORS[name](*features)
        times.append((time.perf_counter() - start, time.process_time() - cpu_start))
    seconds, cpu_seconds = min(times)
    return dict(seconds=seconds, cpu_seconds=cpu_seconds, numbers=numbers,
                megabytes=_peak_megabytes() - before)


def make_features(queries: int, gallery: int, people: int, width: int) -> tuple:
    """``(query features, query ids, gallery features, gallery ids)``, the same each time."""
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


def _peak_megabytes() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == 'darwin' else 2**10)


def _demand_same_numbers(size: str, runs: dict[str, dict]) -> None:
    plain, ours = (runs[name]['numbers'] for name in EVALUATORS)
    for name in MEASURES:
        if abs(plain[name] - ours[name]) > TOLERANCE:
            raise SystemExit(f'{size}: {name} differs, {plain[name]} by full argsort and '
                             f'{ours[name]} by evaluate_ranking')
