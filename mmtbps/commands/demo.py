"""Run the whole path on drawn pedestrians: draw, generate pairs, train, evaluate, search.

Everything lands in work_dirs/demo, the data set and the pairs in data/, all below the folder that
it is started in; a second run reuses what is there.

Examples:
    mmtbps demo
    mmtbps demo --seed 1 --work-dir work_dirs/demo_seed1
    mmtbps demo --size small
"""

import argparse
import json
import os
import time
from pathlib import Path

from mmtbps.drawing.build import SIZES
from mmtbps.evaluation import random_ranks

from .process.command_process import run_process

__all__ = ['add_arguments', 'run']

INTERRUPTED = 'interrupted; the same command goes on'
CONFIG = 'configs/tbps/conv_base_drawn.py'
GENERATION = 'configs/generation/pdg_drawn.py'
DATA, PAIRS = Path('data/DrawnPEDES'), Path('data/DrawnPEDES-pdg-toy')
EDITS = 600
QUERIES = (
    'A woman in a red coat with a black backpack.',
    'The man wears a blue shirt and black pants.',
    'She has long blonde hair and is wearing a white top with dark blue jeans.',
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the seed, the size and the folder."""
    parser.add_argument('--seed', type=int, default=0, help='seed of the training')
    parser.add_argument('--size', choices=list(SIZES), default='default',
                        help='of the drawn data set (default: %(default)s); micro has too few '
                             "people for a batch of the demo's own config")
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/demo'),
                        help='folder of the results (default: %(default)s)')


def run(args: argparse.Namespace) -> None:
    """Run the five steps and print their results."""
    start = time.monotonic()
    step('1 of 5: drawing pedestrians', ('draw', DATA, '--size', args.size))
    generate()
    train(args.work_dir, args.seed)
    checkpoint = (args.work_dir / 'last_checkpoint').read_text(encoding='utf-8').strip()
    metrics_file = args.work_dir / 'metrics.json'
    step('4 of 5: evaluating', (
        'test', find(CONFIG), checkpoint, '--work-dir', args.work_dir, '--out', metrics_file,
        '--show-dir', args.work_dir / 'ranked_lists'))
    search(args.work_dir, checkpoint)
    print_table(json.loads(metrics_file.read_text(encoding='utf-8')))
    print(f'\nRanked lists: {args.work_dir / "ranked_lists"}/*.png   '
          f'Answers: {args.work_dir / "answers.html"}   Generated pairs: '
          f'{PAIRS / "report.html"}   Time: {time.monotonic() - start:.0f} s')


def find(config: str) -> str:
    """Return the config below this folder, or the name of the one that is installed."""
    return config if Path(config).is_file() else Path(config).stem


def step(title: str, *commands: tuple) -> None:
    """Run some commands, with their title and time."""
    print(f'\n== {title}', flush=True)
    start = time.monotonic()
    for command in commands:
        run_process(*command)
    print(f'== {title}: {time.monotonic() - start:.0f} s', flush=True)


def generate() -> None:
    """Generate pairs with the toy diffusion model, as far as the gates accept them."""
    step('2 of 5: generating pairs with a toy diffusion model',
         # Equal weights, with which the published numbers of the demo were measured.
         ('generate', 'all', find(GENERATION), '--weight-floor', '1', '--cfg-options',
          f'generation.planner.max_edits={EDITS}'))


def train(work_dir: Path, seed: int) -> None:
    """Train on the originals and the generated pairs as one training set."""
    pairs = PAIRS.resolve()
    step('3 of 5: training', (
        'train', find(CONFIG), '--work-dir', work_dir, '--resume', '--cfg-options',
        f'randomness.seed={seed}',
        f'train_dataloader.dataset.ann_file=reid_raw.json,{pairs / "pdg_pairs.jsonl"}',
        f'train_dataloader.dataset.data_prefix.img_path=imgs,{pairs}'))


def print_table(metrics: dict) -> None:
    """Print Rank-k of both directions beside that of a random ranking."""
    records = [r for r in json.loads((DATA / 'reid_raw.json').read_text(encoding='utf-8'))
               if r['split'] == 'test']
    images = [record['id'] for record in records]
    captions = [record['id'] for record in records for _ in record['captions']]
    random = dict(t2i=random_ranks(captions, images), i2t=random_ranks(images, captions))
    columns = ('R1', 'R5', 'R10', 'mAP', 'mINP')
    print('\nDrawn test people, none of them seen in training '
          f'({len(captions)} captions, {len(images)} images), percent:\n')
    print('| direction | ' + ' | '.join(columns) + ' | chance R1 / R5 / R10 |')
    print('|---' * (len(columns) + 2) + '|')
    for key, name in (('t2i', 'text to image'), ('i2t', 'image to text')):
        values = ' | '.join(f'{metrics[f"{key}/{column}"]:.1f}' for column in columns)
        of_random = ' / '.join(f'{random[key][k]:.1f}' for k in ('R1', 'R5', 'R10'))
        print(f'| {name} | {values} | {of_random} |')


def search(work_dir: Path, checkpoint: str) -> None:
    """Index the test people alone, and search them for three sentences."""
    crops = work_dir / 'test_people'
    for record in json.loads((DATA / 'reid_raw.json').read_text(encoding='utf-8')):
        if record['split'] == 'test':
            image = crops / record['file_path']
            image.parent.mkdir(parents=True, exist_ok=True)
            if not image.exists():
                os.link(DATA / 'imgs' / record['file_path'], image)
    gallery, asked = work_dir / 'gallery', ('--topk', 8, '--out')
    step('5 of 5: searching',
         ('index', gallery, crops, '--config', find(CONFIG), '--weights', checkpoint),
         *[('query', gallery, *QUERIES, *asked, work_dir / f'answers.{kind}')
           for kind in ('html', 'png')])
