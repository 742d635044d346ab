"""The whole main path on drawn pedestrians: draw, train, evaluate, show.

Everything lands in work_dirs/demo; a second run reuses what is there.

Examples:
    python tools/demo.py
    python tools/demo.py --seed 1 --work-dir work_dirs/demo_seed1
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from mmtbps.evaluation import chance_ranks

CONFIG = 'configs/tbps/vit_bert_base_drawn.py'
DATA = Path('data/DrawnPEDES')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seed', type=int, default=0, help='seed of the training')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/demo'))
    return parser.parse_args()


def step(title: str, *command: str) -> None:
    """Run one tool, with its title and its time."""
    print(f'\n== {title}', flush=True)
    start = time.monotonic()
    subprocess.run([sys.executable, *map(str, command)], check=True)
    print(f'== {title}: {time.monotonic() - start:.0f} s', flush=True)


def print_table(metrics: dict) -> None:
    """Rank-k of both directions beside what chance would give."""
    records = [r for r in json.loads((DATA / 'reid_raw.json').read_text()) if r['split'] == 'test']
    images = [record['id'] for record in records]
    captions = [record['id'] for record in records for _ in record['captions']]
    chance = dict(t2i=chance_ranks(captions, images), i2t=chance_ranks(images, captions))
    columns = ('R1', 'R5', 'R10', 'mAP', 'mINP')
    print('\nDrawn test people, none of them seen in training '
          f'({len(captions)} captions, {len(images)} images), percent:\n')
    print('| direction | ' + ' | '.join(columns) + ' | chance R1 / R5 / R10 |')
    print('|---' * (len(columns) + 2) + '|')
    for key, name in (('t2i', 'text to image'), ('i2t', 'image to text')):
        values = ' | '.join(f'{metrics[f"{key}/{column}"]:.1f}' for column in columns)
        by_chance = ' / '.join(f'{chance[key][k]:.1f}' for k in ('R1', 'R5', 'R10'))
        print(f'| {name} | {values} | {by_chance} |')


def main() -> None:
    args = parse_args()
    os.chdir(Path(__file__).resolve().parent.parent)
    start = time.monotonic()
    step('1 of 3: drawing pedestrians', 'tools/draw_dataset.py', DATA)
    step('2 of 3: training', 'tools/train.py', CONFIG, '--work-dir', args.work_dir, '--resume',
         '--cfg-options', f'randomness.seed={args.seed}')
    checkpoint = (args.work_dir / 'last_checkpoint').read_text().strip()
    metrics_file = args.work_dir / 'metrics.json'
    step('3 of 3: evaluating', 'tools/test.py', CONFIG, checkpoint, '--work-dir', args.work_dir,
         '--out', metrics_file, '--show-dir', args.work_dir / 'ranked_lists')
    print_table(json.loads(metrics_file.read_text()))
    print(f'\nRanked lists: {args.work_dir / "ranked_lists"}/*.png   '
          f'Time: {time.monotonic() - start:.0f} s')


if __name__ == '__main__':
    main()
