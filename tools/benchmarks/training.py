"""Training: a step of ours against one of plain PyTorch, and ours with one part changed at a time.

`plain` is the published procedure written straightforwardly (`tools/benchmarks/plain_training.py`,
and `plain_clip.py` for CLIP's towers): explicit softmax attention, captions padded to 64 tokens
(CLIP: 77), pictures normalised by the loader, an optimizer that goes from tensor to tensor; float32
on a CPU, float16 autocast on a GPU. All rows start from the same random weights, have no dropout,
and see the same drawn pictures and captions in the same order. Each runs in a process of its own,
in rounds; the fastest round counts. All losses are compared with those of plain in float32: a
float32 row that differs fails the command.

FLOPs are those of the matrix products that a pair needs in that row, padding included, computing
activations again not. The peak is what a product of large square matrices reaches in its dtype.

Examples:
    mmtbps benchmark training --size drawn --threads 2
    mmtbps benchmark training --size base --batch 8 --steps 4 --threads 2
    mmtbps benchmark training --size clip --batch 4 --steps 3 --warmup 1 --threads 2
    mmtbps benchmark training --only "without fused attention" --compile
    mmtbps benchmark training --device cuda --size base --steps 30 --preload --compile
    mmtbps benchmark training --device cuda --size base --batch 4096 --only caching
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial

from mmtbps.drawing import draw_dataset
from mmtbps.drawing.build import Size

from .matrix_work import flops_a_pair, matrix_peak
from .training_runs import CONFIGS, Setting, Workload, in_own_process, train

PEOPLE = Size(train=64, val=1, test=1)  # 256 pairs of train
PICTURES = {'tiny': (64, 24), 'drawn': (128, 48), 'base': (384, 128), 'clip': (384, 128),
            'clip-tiny': (64, 24)}  # on disk, in pixels
BATCHES = {('cpu', 'base'): 8, ('cuda', 'base'): 256, ('cpu', 'tiny'): 8, ('cpu', 'clip'): 8,
           ('cuda', 'clip'): 256, ('cpu', 'clip-tiny'): 8}
TOLERANCE = 1e-3  # of a loss in float32, relative


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options beside ``--threads`` and ``--out``."""
    add_workload_options(parser)
    parser.add_argument('--rounds', type=int, default=2,
                        help='each runs every row once; the fastest counts (default: 2)')
    parser.add_argument('--only', nargs='*', metavar='ROW',
                        help='rows beside plain and ours, or parts of their names (default: all)')


def add_workload_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of model, data and machine."""
    parser.add_argument('--device', choices=('cpu', 'cuda'), default='cpu')
    parser.add_argument('--size', choices=CONFIGS, default='drawn',
                        help='that of configs/tbps/vit_bert_base_drawn.py; the paper\'s (base, '
                             '384 x 128 and BERT-base); CLIP-B/16 at 384 x 128, that of '
                             'configs/clip/clip_b16_itc_cuhk.py; or tiny ones for a quick look')
    parser.add_argument('--dtype', choices=('float32', 'bfloat16', 'float16'),
                        help='of ours (default: float32 on a CPU, bfloat16 on a GPU)')
    parser.add_argument('--batch', type=int,
                        help='pairs a step (default: 64; 8 for base on a CPU, 256 on a GPU)')
    parser.add_argument('--chunk', type=int,
                        help='pairs at once with gradient caching (default: a quarter, at most '
                             '128)')
    parser.add_argument('--steps', type=int, default=10, help='measured (default: 10)')
    parser.add_argument('--warmup', type=int, default=3, help='steps before them (default: 3)')
    parser.add_argument('--workers', type=int,
                        help='of the loader (default: 0 on a CPU, all cores but two on a GPU)')
    parser.add_argument('--preload', action='store_true',
                        help='load all batches before the clock runs')
    parser.add_argument('--compile', action='store_true', help='ours by torch.compile')


def run(args: argparse.Namespace) -> list[dict]:
    """Measure every row, in rounds."""
    settings = choose_rows(args)
    rounds = {name: [] for name in settings}
    peaks = {setting.dtype: 0. for setting in settings.values()}
    with drawn_workload(args) as work:
        for number in range(args.rounds):
            for name, setting in settings.items():
                print(f'round {number + 1}: {name} ...', file=sys.stderr, flush=True)
                rounds[name].append(in_own_process(train, work, setting))
            for dtype, peak in peaks.items():
                found = in_own_process(matrix_peak, dtype, work.device, work.threads)
                peaks[dtype] = max(peak, found)
    return table(work, settings, {name: fastest(some) for name, some in rounds.items()}, peaks)


def fastest(rounds: list[dict | None]) -> dict | None:
    """The result of the fastest round; None if there was too little memory."""
    if None in rounds:
        return None
    return min(rounds, key=lambda result: result['seconds'])


def table(work: Workload, settings: dict[str, Setting], results: dict[str, dict | None],
          peaks: dict[str, float]) -> list[dict]:
    """Format the measurements as rows, if all in float32 learned the same."""
    flops = cache(partial(flops_a_pair, work))
    reference = results['plain in float32' if 'plain in float32' in results else 'plain']
    rows = []
    for name, result in results.items():
        if result is None:
            rows.append({'row': name, 'pairs/s': 'out of memory'})
            continue
        setting = settings[name]
        cost = sum(flops(setting.plain, setting.one_token, length)
                   for length in result['lengths']) / work.steps
        rows.append(describe(name, result, results['plain'], reference, work.batch, cost,
                             peaks[setting.dtype]))
    demand_same_losses(rows, settings)
    columns = max(rows, key=len)
    return [{column: row.get(column, '-') for column in columns} for row in rows]


def choose_rows(args: argparse.Namespace) -> dict[str, Setting]:
    """Names and settings of the rows that were asked for."""
    on_gpu = args.device == 'cuda'
    ours = Setting(dtype=args.dtype or ('bfloat16' if on_gpu else 'float32'),
                   compiled=args.compile)
    full = ours.dtype == 'float32'
    others = {
        'without fused attention': dict(fused_attention=False),
        'without dynamic length': dict(dynamic_length=False),
        'without last layer for one token': dict(one_token=False),
        'without fused optimizer': dict(fused_optimizer=False),
        'without normalisation on the device': dict(device_normalisation=False)}
    if on_gpu:
        others['without late losses'] = dict(late_losses=False)
    if args.compile:
        others['without compile'] = dict(compiled=False)
    others['with bfloat16' if full else 'without mixed precision'] = dict(
        dtype='bfloat16' if full else 'float32')
    chunk = args.chunk or min(max(1, batch_size(args) // 4), 128)
    others[f'with gradient caching, chunks of {chunk}'] = dict(chunk_size=chunk)
    others['with activation checkpointing'] = dict(checkpointed=True)
    unknown = [name for name in args.only or () if not any(name in row for row in others)]
    if unknown:
        raise SystemExit(f'no row is called {unknown[0]!r}; there are {", ".join(others)}')
    plain = Setting(plain=True, dtype='float16' if on_gpu else 'float32')
    rows = {'plain': plain}
    if on_gpu:
        rows['plain in float32'] = replace(plain, dtype='float32')
    return rows | {'ours': ours} | {
        f'ours {name}': replace(ours, **change) for name, change in others.items()
        if args.only is None or any(wanted in name for wanted in args.only)}


def batch_size(args: argparse.Namespace) -> int:
    """Pairs a step, as asked for or as suits size and device."""
    return args.batch or BATCHES.get((args.device, args.size), 64)


@contextmanager
def drawn_workload(args: argparse.Namespace) -> Iterator[Workload]:
    """The workload that was asked for, on a set drawn for it."""
    workers = args.workers
    if workers is None:
        workers = 0 if args.device == 'cpu' else max(0, os.cpu_count() - 2)
    with tempfile.TemporaryDirectory() as folder:
        root = draw_dataset(f'{folder}/drawn', PEOPLE, image_size=PICTURES[args.size],
                            progress=False)
        yield Workload(args.size, str(root), args.device, args.threads, workers,
                       batch_size(args), args.warmup, args.steps, args.preload)


def describe(name: str, result: dict, plain: dict | None, reference: dict | None, batch: int,
             cost: float, peak: float) -> dict:
    """One row of the table."""
    speed = cost * batch / result['seconds']
    difference = reference and largest_difference(result['losses'], reference['losses'])
    return {'row': name, 'pairs/s': round(batch / result['seconds'], 1),
            'seconds a step': round(result['seconds'], 4),
            'CPU seconds a step': round(result['cpu_seconds'], 4),
            'times faster': round(plain['seconds'] / result['seconds'], 2) if plain else '-',
            'peak memory (MB)': round(result['megabytes']),
            'GFLOP a pair': float(f'{cost / 1e9:.4g}'), 'GFLOP/s': round(speed / 1e9, 1),
            'of the peak (%)': round(100 * speed / peak, 1), 'peak GFLOP/s': round(peak / 1e9, 1),
            'final loss': round(result['losses'][-1], 4),
            'largest loss difference': '-' if difference is None else f'{difference:.1e}'}


def largest_difference(losses: list[float], expected: list[float]) -> float:
    """Of the losses of one step, relative to the expected one."""
    return max(abs(loss - due) / abs(due) for loss, due in zip(losses, expected, strict=True))


def demand_same_losses(rows: list[dict], settings: dict[str, Setting]) -> None:
    """Stop if a row in float32 has learned something else than plain."""
    for row in rows:
        difference = row.get('largest loss difference', '-')
        if difference == '-' or settings[row['row']].dtype != 'float32':
            continue
        if not float(difference) <= TOLERANCE:  # not a number is no success
            raise SystemExit(f'{row["row"]}: its losses differ from those of plain by '
                             f'{difference}, more than {TOLERANCE:.0e}')
