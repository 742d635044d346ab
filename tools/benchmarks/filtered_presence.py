"""Presence behind filters: is a calibration right where a search looks at a part of a gallery?

It takes a data set of drawn people, a model and its calibration. All pictures of the test people are in one
gallery; sentences are asked of what a filter keeps of it, by the way that a search goes. Filters
are the camera that took a picture, the time (by picture: half of the hours) and a key of one's own
(by person: a fifth, and a half). "There" is the share of sentences whose person has a picture among
what was kept, which the calibration is told as its prior. Without a filter stands a gallery
that half of the people were taken out of.
"""  # noqa: E501

import argparse
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mmtbps.errors import BadValue, MissingFile
from mmtbps.evaluation.presence import OpenSet, PresenceCalibration
from mmtbps.evaluation.presence.evidence import FIRST_HITS
from mmtbps.evaluation.presence.reliability import (
    area_under_curve,
    brier_skill,
    calibration_error,
    identification_rate,
)
from mmtbps.search import load_encoder
from mmtbps.search.answers import PresenceEstimator
from mmtbps.search.answers.calibrations import load_calibration, place_of_calibration
from mmtbps.search.galleries import GalleryEntry, open_gallery
from mmtbps.search.media.images import read_image

_BATCH, _HOURS, _GROUPS = 64, 24, 10
#: In words, and as `mmtbps query --where` takes it.
FILTERS = {'half of the hours': {'time': (0, _HOURS // 2 - 1)},
           'a key: half of the people': {'group': [*'01234']},
           'a key: a fifth of the people': {'group': ['0', '1']}}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options beside ``--threads`` and ``--out``."""
    parser.add_argument('--model', required=True, help='folder of a model, hf:NAME or a config')
    parser.add_argument('--weights', help='checkpoint of a config')
    parser.add_argument('--data', type=Path, required=True, help='drawn people: mmtbps draw')
    parser.add_argument('--calibration', type=Path, help='file of mmtbps calibrate (default: the '
                        'one beside the model)')
    parser.add_argument('--seed', type=int, default=0, help='of hours, groups and who is absent')


def run(args: argparse.Namespace) -> list[dict]:
    """Measure one model on one data set."""
    import torch
    torch.set_num_threads(args.threads)
    file = args.calibration or place_of_calibration(args.model, args.weights)
    if file is None:
        raise BadValue(f'{args.model} has no folder here: name its calibration by --calibration')
    annotations = args.data / 'reid_raw.json'
    if not annotations.is_file():
        raise MissingFile(f'{annotations}: no drawn people there; mmtbps draw {args.data} draws '
                          'some')
    records = [one for one in json.loads(annotations.read_text('utf-8')) if one['split'] == 'test']
    encoder = load_encoder(args.model, args.weights, device='cpu')
    calibration = load_calibration(file, encoder.fingerprint)
    ids = np.array([record['id'] for record in records])
    parts = [records[start:start + _BATCH] for start in range(0, len(records), _BATCH)]
    pictures = np.concatenate([encoder.encode_images([
        read_image(args.data / 'imgs' / one['file_path']) for one in part]) for part in parts])
    sentences = np.concatenate([encoder.encode_texts([one['captions'][0] for one in part])
                                for part in parts])
    data = OpenSet(sentences, ids, pictures, ids)
    return measure(data, [one['file_path'].split('/')[0] for one in records], calibration,
                   args.seed)


def measure(data: OpenSet, cameras: list[str], calibration: PresenceCalibration,
            seed: int = 0) -> list[dict[str, Any]]:
    """Measure presence behind each filter, and without one.

    Args:
        data: Sentences and pictures.
        cameras: Of each picture.
        calibration: Of the model.
        seed: Of hours, groups and who is absent.
    """
    draw = np.random.default_rng(seed)
    hours = draw.integers(_HOURS, size=len(data.gallery)).tolist()
    people = np.unique(data.gallery_ids)
    groups = dict(zip(people.tolist(), draw.integers(_GROUPS, size=len(people)).tolist(),
                      strict=True))
    entries = [GalleryEntry(str(i), f'{i}.jpg', camera=cameras[i], time=float(hours[i]), size=9,
                            sha256=f'{i:064x}', extra={'group': str(groups[person])})
               for i, person in enumerate(data.gallery_ids.tolist())]
    gone = set(draw.permutation(people)[:len(people) // 2].tolist())
    left = [i for i, person in enumerate(data.gallery_ids.tolist()) if person not in gone]
    names = sorted(set(cameras))
    filters = {'one camera': {'camera': names[:1]}, 'two cameras': {'camera': names[:2]},
               **FILTERS}
    rows = [_measure(data, entries, left, 'none', None, calibration)]
    return rows + [_measure(data, entries, range(len(entries)), name, where, calibration)
                   for name, where in filters.items()]


def _measure(data: OpenSet, entries: list[GalleryEntry], left: Any, name: str,
             where: Mapping[str, Any] | None, calibration: PresenceCalibration) -> dict[str, Any]:
    rows = np.array(left)
    kept = [i for i in rows.tolist() if where is None or _passes(entries[i], where)]
    there = np.isin(data.query_ids, data.gallery_ids[kept])
    with tempfile.TemporaryDirectory() as folder:
        gallery = open_gallery(Path(folder, 'people'), dict(dim=data.gallery.shape[1]))
        gallery.upsert([entries[i] for i in rows.tolist()], data.gallery[rows])
        found = gallery.search(data.queries, FIRST_HITS, where)
        said = PresenceEstimator(gallery, calibration, float(there.mean()))(
            data.queries, found, where)
    if {one.searched for one in said} != {len(kept)}:
        raise RuntimeError(f'{name}: {said[0].searched} entries were searched, not {len(kept)}')
    told = np.array([one.probability for one in said])
    first = np.array([data.gallery_ids[int(hits[0].entry.id)] for hits in found])
    return {'filter': name, 'pictures': f'{len(kept):,} of {len(rows):,}',
            'people': f'{len(np.unique(data.gallery_ids[kept])):,}', 'there': f'{there.mean():.0%}',
            'AUROC': f'{area_under_curve(told, there):.3f}',
            'DIR10': f'{identification_rate(told, there, first == data.query_ids, .1):.3f}',
            'skill': f'{brier_skill(told, there):.3f}',
            'ECE': f'{calibration_error(told, there):.3f}'}


def _passes(entry: GalleryEntry, where: Mapping[str, Any]) -> bool:
    """Tell whether an entry passes, independently of the gallery's own filters."""
    (key, wanted), = where.items()
    if key == 'time':
        return wanted[0] <= entry.time <= wanted[1]
    return (entry.camera if key == 'camera' else entry.extra[key]) in wanted
