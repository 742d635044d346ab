"""Writing of the benchmarks beside the pictures of a drawn data set."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from mmtbps.fileio import check_writable, explained_disk_full, write_durably

from ..render import render
from .binding import build_binding, repaint
from .pictures import DrawnPicture, read_marker, read_pictures
from .short_sentences import build_short_sentences

__all__ = ['BINDING', 'SHORT_SENTENCES', 'write_benchmarks']

BINDING, SHORT_SENTENCES = 'binding.json', 'short_sentences.json'


def write_benchmarks(root: str | Path, seed: int = 0) -> Path:
    """Write the benchmarks of attribute binding and of short sentences on the test people.

    They are written to ``root/benchmarks``, with the pictures of twins: the same person in the same
    scene with the colors of a negative. Formats: `mmtbps.evaluation.binding.read_binding` and
    `mmtbps.evaluation.short_sentences.read_short_sentences`. Former ones are replaced.
    Of few people, of whom no attribute is shared by ten, there are no short sentences.

    Args:
        root: A finished drawn data set.
        seed: Of all choices.

    Returns:
        The folder.

    Raises:
        MissingFile: ``root`` is no finished drawn data set.
        NotWritable: Nothing can be written there.
        DiskFull: The disk is full.
    """
    root, marker = Path(root), read_marker(root)
    name = (f'DrawnPEDES version {marker["version"]}, seed {marker["seed"]}, '
            f'{marker["test"]} test people')
    folder = root / 'benchmarks'
    check_writable(folder, folder=True)
    with explained_disk_full(folder):
        (folder / 'imgs').mkdir(parents=True, exist_ok=True)
        pictures = list(read_pictures(root))
        items, twins = build_binding(pictures, seed)
        for item in items:
            item['image'] = f'../imgs/{item["image"]}'
        pairs = [_draw_twin(folder, number, *twin, seed) for number, twin in enumerate(twins)]
        write_durably(folder / BINDING, json.dumps(dict(
            format='mmtbps-binding', version=1, name=name, captions='../reid_raw.json',
            items=items, pairs=pairs), indent=1))
        sentences = build_short_sentences(pictures, seed)
        (folder / SHORT_SENTENCES).unlink(missing_ok=True)
        if sentences:
            write_durably(folder / SHORT_SENTENCES, json.dumps(dict(
                format='mmtbps-short-sentences', version=1, name=name,
                images=[f'../imgs/{picture.path}' for picture in pictures],
                people=[picture.person_id for picture in pictures], sentences=sentences)))
    return folder


def _draw_twin(folder: Path, number: int, picture: DrawnPicture, colors: dict[str, str],
               captions: Sequence[str], seed: int) -> dict:
    """Draw the picture that the negative is true of; return the pair."""
    rng = np.random.default_rng((seed, picture.person_id, number))
    twin = repaint(picture.person, colors, rng)
    target = folder / 'imgs' / f'{number:05d}_{Path(picture.path).stem}.jpg'
    fresh = target.with_suffix('.tmp')
    Image.fromarray(render(twin, picture.scene, picture.size)).save(
        fresh, 'JPEG', quality=picture.scene.quality)
    os.replace(fresh, target)
    return dict(images=[f'../imgs/{picture.path}', f'imgs/{target.name}'],
                captions=list(captions), kind='permuted')
