"""Heat-maps: share of maps of a garment's words that point at the garment, on drawn people.

The text is "A person wearing a COLOR shirt and COLOR pants."; the map of a garment is the mean of
its color's and its noun's. The renderer knows the pixels of each garment. People of the test split
whose two garments have one color are left out.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from mmtbps.drawing.edits import garment_mask
from mmtbps.drawing.person import Person, Scene
from mmtbps.drawing.render import render
from mmtbps.drawing.versions import plan_person
from mmtbps.search.encoders.explain import word_heat_map
from mmtbps.search.encoders.torch_encoder import TorchEncoder

NOUNS = {'upper': 'shirt', 'lower': 'pants'}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options beside ``--threads`` and ``--out``."""
    parser.add_argument('--config', default='conv_base_drawn', help='default: %(default)s')
    parser.add_argument('--weights', default='work_dirs/demo/epoch_12.pth',
                        help='checkpoint (default: %(default)s)')
    parser.add_argument('--data-root', type=Path, default=Path('data/DrawnPEDES'),
                        help='drawn data set (default: %(default)s)')
    parser.add_argument('--people', type=int, default=150,
                        help='test people to look at (default: %(default)s)')


def run(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure each model in a row, and chance in another."""
    torch.set_num_threads(args.threads)
    people = list(_people(args.data_root, args.people))
    rows = []
    for name, weights in (('trained', args.weights), ('random weights', 'random')):
        torch.manual_seed(0)
        encoder = TorchEncoder(args.config, weights=weights)
        on, hotter = np.mean([hit for case in people for hit in _look(encoder, *case)], axis=0)
        rows.append(_row(name, on, hotter))
    areas = [case[2][garment].mean() for case in people for garment in NOUNS]
    return [*rows, _row('chance', np.mean(areas), .5)]


def _people(root: Path, count: int) -> Iterator[tuple[Image.Image, Person, dict]]:
    """Yield image, person and the pixels of both garments."""
    marker = json.loads((root / 'drawn.json').read_text(encoding='utf-8'))
    size = marker['height'], marker['width']
    entries = json.loads((root / 'reid_raw.json').read_text(encoding='utf-8'))
    for number in sorted({e['id'] for e in entries if e['split'] == 'test'})[:count]:
        person, shots = plan_person(marker['seed'], number, marker['images'])
        scene: Scene = shots[0].scene
        worn = [garment for garment in NOUNS if person.wears(garment)]
        masks = {garment: garment_mask(person, scene, garment, size) for garment in worn}
        colors = {person.colors[garment] for garment in worn}
        if len(colors) == 2 and all(mask.any() for mask in masks.values()):
            yield Image.fromarray(render(person, scene, size)), person, masks


def _look(encoder: TorchEncoder, image: Image.Image, person: Person, masks: dict
          ) -> Iterator[tuple[bool, bool]]:
    """Yield for each garment: is the hottest pixel on it, and is it hotter than the other?"""
    colors = {garment: person.colors[garment] for garment in NOUNS}
    maps = word_heat_map(encoder, image, f'A person wearing a {colors["upper"]} shirt and '
                                         f'{colors["lower"]} pants.')
    for garment, other in (('upper', 'lower'), ('lower', 'upper')):
        end = maps.words.index(NOUNS[garment])
        heat = maps.heat[end - len(colors[garment].split()):end + 1].mean(0)
        fine = np.asarray(Image.fromarray(heat).resize(image.size, Image.Resampling.BICUBIC))
        yield (masks[garment].flat[fine.argmax()],
               fine[masks[garment]].mean() > fine[masks[other]].mean())


def _row(name: str, on: float, hotter: float) -> dict[str, Any]:
    return {'model': name, 'hottest pixel on the garment': f'{100 * on:.0f} %',
            'hotter there than on the other garment': f'{100 * hotter:.0f} %'}
