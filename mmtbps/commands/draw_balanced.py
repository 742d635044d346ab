"""Draw people whose garments have every colour equally often, to train the toy diffusion model.

DrawnPEDES follows taste: no trousers in purple, few coats in yellow. A model that shall dress
anybody in any colour must have seen every colour on every garment, so here the colours of the
upper and the lower garment are drawn evenly, and no caption takes a colour for a similar one. The
people are others than those of DrawnPEDES, which is drawn with other seeds. Same layout.

Examples:
    mmtbps draw-balanced data/DrawnBalanced
    mmtbps draw-balanced data/DrawnBalanced --people 8000 400 --seed 1000
"""

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image
from rich.progress import track

from mmtbps.drawing import caption, recolor, render, sample_person, sample_scene
from mmtbps.drawing.edits import colors_for
from mmtbps.drawing.person import Person
from mmtbps.errors import BadValue
from mmtbps.fileio import explained_disk_full, write_durably

__all__ = ['add_arguments', 'draw_person', 'evenly_colored', 'run']


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the folder, and the people to draw."""
    parser.add_argument('root', type=Path, help='folder to write')
    parser.add_argument('--people', nargs=2, type=int, default=(8000, 400),
                        metavar=('TRAIN', 'VAL'), help='default: %(default)s')
    parser.add_argument('--seed', type=int, default=1000, help='default: %(default)s')


def evenly_colored(person: Person, rng: np.random.Generator) -> Person:
    """Return the same person with upper and lower garment in colours drawn evenly."""
    for garment in ('upper', 'lower'):
        if person.wears(garment):
            colors = sorted({*colors_for(person, garment)})
            person = recolor(person, garment, colors[int(rng.integers(len(colors)))], rng)
    return person


def draw_person(root: Path, seed: int, person_id: int, split: str) -> dict:
    """Draw one image and return its annotation."""
    rng = np.random.default_rng((seed, person_id))
    person, scene = evenly_colored(sample_person(rng), rng), sample_scene(rng)
    file_path = f'even/{person_id:05d}.jpg'
    Image.fromarray(render(person, scene)).save(root / 'imgs' / file_path, 'JPEG',
                                                quality=scene.quality)
    seeds = rng.integers(1 << 31, size=2)
    return dict(split=split, id=person_id, file_path=file_path,
                captions=[caption(person, scene, int(seed), near_miss=0.) for seed in seeds])


def run(args: argparse.Namespace) -> None:
    """Draw all people; the annotations come last."""
    if min(args.people) < 1:
        raise BadValue('--people must be at least 1 each, got '
                       f'{" ".join(map(str, args.people))}')
    if args.seed < 0:
        raise BadValue(f'--seed must not be negative, got {args.seed}')
    (args.root / 'imgs' / 'even').mkdir(parents=True, exist_ok=True)
    splits = ['train'] * args.people[0] + ['val'] * args.people[1]
    with explained_disk_full(args.root):
        entries = [draw_person(args.root, args.seed, person_id, split) for person_id, split
                   in enumerate(track(splits, f'drawing {len(splits)} people'), start=1)]
    write_durably(args.root / 'reid_raw.json', json.dumps(entries))
    print(f'evenly coloured people in {args.root}')
