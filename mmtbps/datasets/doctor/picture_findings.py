"""Findings in pictures: missing, broken, the same again in another split or as another person."""

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from mmtbps.datasets.annotations import LocatedRecord
from mmtbps.datasets.images import find_missing_images, read_picture
from mmtbps.errors import UserError

from .findings import Finding, place_of
from .likeness import find_alike, hash_picture

__all__ = ['find_in_pictures']


def find_in_pictures(located: Sequence[LocatedRecord],
                     track: Callable[[Iterator, int], Iterator] = lambda items, total: items
                     ) -> Iterator[Finding]:
    """Find pictures that are missing or broken, and those that stand twice where they must not.

    Args:
        located: records of all splits.
        track: shows progress over the decoded pictures.
    """
    by_path = defaultdict(list)
    for item in located:
        by_path[item.image_path].append(item)
    missing = find_missing_images(by_path)
    if missing:
        groups = tuple((place_of(by_path[path][0]), ) for path in by_path if path in missing)
        yield Finding('missing picture', f'{len(missing)} pictures are missing', groups)
    there = [path for path in by_path if path not in missing]
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        hashed = dict(zip(there, track(pool.map(_try_to_hash, there), len(there)), strict=True))
    broken = {path: reason for path, reason in hashed.items() if isinstance(reason, str)}
    if broken:
        yield Finding('broken picture', f'{len(broken)} pictures cannot be decoded, the first: '
                      + next(iter(broken.values())),
                      tuple((place_of(by_path[path][0]), ) for path in broken))
    hashes = {path: value for path, value in hashed.items() if not isinstance(value, str)}
    yield from _again(hashes, by_path)


def _try_to_hash(path: str) -> np.ndarray | str:
    try:
        return hash_picture(read_picture(path))
    except UserError as error:
        return str(error)


def _again(hashes: Mapping[str, np.ndarray],
           by_path: Mapping[str, Sequence[LocatedRecord]]) -> Iterator[Finding]:
    """Find copies, and files that are named twice, in two splits or of two people."""
    across, people = [], []
    order = {'test': 0, 'val': 1}
    groups = find_alike(hashes)
    alike = {name for names in groups for name in names}
    for names in [*groups, *([name] for name in hashes if name not in alike)]:
        # Once for each split and person: captions of one image may stand in many records.
        told = {}
        for item in (item for name in names for item in by_path[name]):
            told.setdefault((item.image_path, item.record.split, item.identity), item)
        items = sorted(told.values(), key=lambda item: order.get(item.record.split, 2))
        places = tuple(map(place_of, items))
        if len({item.record.split for item in items}) > 1:
            across.append(places)
        elif len({item.identity for item in items}) > 1:
            people.append(places)
    if across:
        yield Finding('picture in two splits', f'{len(across)} pictures are in more than one '
                      'split, exactly or nearly: what was trained on is found again', tuple(across))
    if people:
        yield Finding('picture of two people', f'{len(people)} pictures stand at more than one '
                      'person, exactly or nearly: one of them is a false positive', tuple(people))
