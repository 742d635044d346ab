"""Input: training pairs a CPU core makes ready per second, step by step, and by data loaders.

The pairs go through the train pipeline of configs/_base_/pipelines/paper.py with a tokenizer of
drawn captions. Images are drawn people, saved as JPEG of quality 90 at the sizes of a data set:
`cuhk` between 60 x 160 and 200 x 500 pixels, `icfg` 128 x 384. `plain` is
tools/benchmarks/plain_input.py; both must give the same tokens, or the benchmark fails.

Times of steps are CPU seconds of a loader's worker with one thread, the fastest of all rounds, so
that they hold for a core. Rates of loaders are by the clock and need cores that nobody else uses;
`main process` is the CPU time of the process that trains, which bounds any number of workers.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.logging import MMLogger
from PIL import Image
from rich.progress import track
from torch.utils.data import default_collate

from mmtbps.datasets import SeededSampler, TBPSDataset, stack_pairs
from mmtbps.datasets.samplers import SeededIndex
from mmtbps.datasets.write_packed import pack_images
from mmtbps.drawing import caption, render
from mmtbps.drawing.tokenizer import write_tokenizer
from mmtbps.drawing.versions import plan_person

from .plain_input import PlainInput

PIPELINE = Path(__file__).parents[2] / 'configs/_base_/pipelines/paper.py'
SIZES = {'cuhk': ((60, 200), (160, 500)), 'icfg': ((128, 128), (384, 384))}  # width, height
BATCH = 64


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options beside ``--threads`` and ``--out``."""
    parser.add_argument('--sizes', nargs='+', choices=SIZES, default=list(SIZES),
                        help='data sets to imitate (default: all)')
    parser.add_argument('--images', type=int, default=256,
                        help='images to draw of each (default: %(default)s)')
    parser.add_argument('--workers', nargs='*', type=int, default=[1, 2],
                        help='numbers of loader workers to measure (default: 1 2)')
    parser.add_argument('--repeats', type=int, default=3, help='rounds; the fastest counts')


def run(args: argparse.Namespace) -> list[dict]:
    """Measure steps and loaders at each size."""
    MMLogger.get_current_instance().setLevel('WARNING')
    torch.set_num_threads(1)
    cv2.setNumThreads(0)  # as MMEngine sets it in a worker
    rows = []
    for size in args.sizes:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            draw(root, size, args.images)
            pack_images(root / 'imgs', root / 'imgs.tars')
            rows += [dict(images=size, **row) for row in measure(root, args)]
    return rows


def draw(root: Path, size: str, count: int) -> None:
    """Draw images, annotations and a tokenizer, the same each time."""
    (root / 'imgs').mkdir()
    rng, records = np.random.default_rng(0), []
    for number in track(range(count), f'drawing {count} images ({size})'):
        person, (shot,) = plan_person(0, number, images=1)
        width, height = (int(rng.integers(low, high + 1)) for low, high in SIZES[size])
        name = f'{number:06d}.jpg'
        picture = Image.fromarray(render(person, shot.scene, (height, width)))
        picture.save(root / 'imgs' / name, quality=90)
        captions = [caption(person, shot.scene, seed) for seed in shot.caption_seeds]
        records.append(dict(image=name, captions=captions, person_id=number, split='train'))
    lines = [json.dumps(record) + '\n' for record in records]
    (root / 'pairs.jsonl').write_text(''.join(lines), encoding='utf-8')
    write_tokenizer(root / 'tokenizer', (text for record in records
                                         for text in record['captions']))


def measure(root: Path, args: argparse.Namespace) -> list[dict]:
    """Measure each step, all of `plain`, then the loaders; one row each."""
    pipeline = Config.fromfile(PIPELINE).train_pipeline
    for step in pipeline:
        if 'tokenizer' in step:
            step['tokenizer'] = str(root / 'tokenizer')
    folder, packed = (data_set(root, images, pipeline) for images in ('imgs', 'imgs.tars'))
    plain = plain_set(folder, root)
    batches = [range(len(plain))[start:start + BATCH] for start in range(0, len(plain), BATCH)]
    plain_time = seconds(lambda: [default_collate([plain[index] for index in batch])
                                  for batch in batches], len(plain), args.repeats)
    rows, before = [row('plain, all of it', plain_time, plain_time)], 0.
    for count in range(len(pipeline) + 1):
        part = data_set(root, 'imgs', pipeline[:count])
        name = pipeline[count - 1].type.__name__ if count else 'seeds, annotation'
        after = step_seconds(part, args.repeats)
        rows.append(row(f'+ {name}' if count else name, after, plain_time, after - before))
        before = after
    samples = [folder[SeededIndex(index, index)] for index in range(min(BATCH, len(folder)))]
    collate = seconds(lambda: stack_pairs(samples), len(samples), args.repeats)
    rows.append(row('+ stack_pairs', before + collate, plain_time, collate))
    rows.append(row('the same, packed', step_seconds(packed, args.repeats) + collate, plain_time))
    for workers in args.workers:
        slow = None
        for name, data, collate_fn in (
                ('plain', plain, None),
                ('folder', folder, stack_pairs), ('packed', packed, stack_pairs),
                ('folder, pseudo_collate', folder, pseudo_collate)):
            time_, main = loader_seconds(data, workers, args.repeats, collate_fn)
            slow = slow or time_
            rows.append(row(f'loader of {workers}, {name}', time_, slow, main=main))
    return rows


def row(what: str, time_: float, plain: float, own: float | None = None,
        main: float | None = None) -> dict:
    """Make a row of the table from seconds an image."""
    print(f'{what}: {1e6 * time_:.0f} us an image', file=sys.stderr, flush=True)
    return {'what': what, 'of the step (us)': '' if own is None else round(1e6 * own),
            'us an image': round(1e6 * time_), 'images a second': round(1 / time_),
            'times plain': round(plain / time_, 2),
            'main process (us)': '' if main is None else round(1e6 * main)}


def data_set(root: Path, images: str, pipeline: list) -> TBPSDataset:
    """Build the data set of the drawn pairs with some steps of the pipeline."""
    return TBPSDataset(data_root=str(root), ann_file='pairs.jsonl',
                       data_prefix=dict(img_path=images), pipeline=pipeline)


def plain_set(ours: TBPSDataset, root: Path) -> PlainInput:
    """Build the data set of the same pairs for `plain`, whose tokens must be equal."""
    items = [ours.get_data_info(index) for index in range(len(ours))]
    plain = PlainInput([(item['img_path'], item['caption'], item['person_id']) for item in items],
                       root / 'tokenizer/vocab.txt')
    for index, item in enumerate(items):
        tokens = ours[SeededIndex(index, 0)]['inputs']['input_ids'].tolist()
        if tokens != plain.tokenize(item['caption']):
            raise SystemExit(f'plain tokens differ for {item["caption"]!r}')
    return plain


class Rounds(torch.utils.data.Dataset):
    """Measure the CPU seconds of each round of some work, in the process that asks for them."""

    def __init__(self, work: Callable[[], object], count: int):
        self.work, self.count = work, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> float:
        start = time.process_time()
        self.work()
        return time.process_time() - start


def seconds(work: Callable[[], object], count: int, repeats: int) -> float:
    """Measure the CPU seconds an image in a loader's worker, the fastest of all rounds."""
    rounds = torch.utils.data.DataLoader(
        Rounds(work, repeats + 1), batch_size=None, num_workers=1, multiprocessing_context='fork')
    return min(list(rounds)[1:]) / count  # the first round loads what is used later


def step_seconds(dataset: TBPSDataset, repeats: int) -> float:
    """Measure the CPU seconds an item, each item read once."""
    indices = [SeededIndex(index, index) for index in range(len(dataset))]
    return seconds(lambda: [dataset[index] for index in indices], len(indices), repeats)


def loader_seconds(dataset: torch.utils.data.Dataset, workers: int, repeats: int,
                   collate: Callable | None = None) -> tuple[float, float]:
    """Measure seconds an image by the clock and of this process, with workers that have begun."""
    loader = torch.utils.data.DataLoader(
        dataset, batch_size=BATCH, num_workers=workers, persistent_workers=workers > 0,
        sampler=SeededSampler(dataset, seed=0), collate_fn=collate)
    clock, own = [], []
    for _ in range(repeats + 1):
        start, own_start = time.perf_counter(), time.process_time()
        for _ in loader:
            pass
        clock.append(time.perf_counter() - start)
        own.append(time.process_time() - own_start)
    return min(clock[1:]) / len(dataset), min(own[1:]) / len(dataset)
