"""Findings in pictures: missing, broken, the same again in another split or as another person."""

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from mmtbps.datasets import images
from mmtbps.datasets.annotations import LocatedRecord
from mmtbps.datasets.skipped import UndecodableImage, UnreadableImage
from mmtbps.errors import first_line

from .findings import Finding, Place, place_of
from .likeness import find_alike, hash_picture

__all__ = ['find_in_pictures']


def find_in_pictures(located: Sequence[LocatedRecord],
                     track: Callable[[Iterator, int], Iterator] = lambda items, total: items
                     ) -> Iterator[Finding]:
    """Find pictures that are missing or broken, and those that stand twice where they must not.

    Pictures of composed queries must be there, and are no others' copies.

    Args:
        located: records of all splits.
        track: shows progress over the decoded pictures.

    Raises:
        UnreadableImage: a file is there and cannot be read, after some pauses neither.
    """
    by_path = defaultdict(list)
    for item in located:
        by_path[item.image_path].append(item)
    places = {path: place_of(items[0]) for path, items in by_path.items()}
    for item in located:
        for path in item.query_paths or ():
            places.setdefault(path, place_of(item)._replace(image=path))
    missing = images.find_missing_images(places)
    if missing:
        yield Finding('missing picture', f'{len(missing)} pictures are missing'
                      + _word_others(missing), _alone(places, missing))
    hashed = _hash_all([path for path in places if path not in missing], track)
    broken = {path: reason for path, reason in hashed.items() if isinstance(reason, Exception)}
    if broken:
        yield Finding('broken picture', f'{len(broken)} pictures cannot be decoded, the first: '
                      f'{next(iter(broken.values()))}', _alone(places, broken))
    yield from _again({path: hashed[path] for path in by_path
                       if path in hashed and path not in broken}, by_path)


def _alone(places: Mapping[str, Place], paths: Mapping | set) -> tuple[tuple[Place, ...], ...]:
    return tuple((place, ) for path, place in places.items() if path in paths)


def _word_others(missing: set[str]) -> str:
    """Word how many of the missing pictures are there under nearly their name."""
    others = images.find_other_names(missing)
    if not others:
        return ''
    path, name = next(iter(sorted(others.items())))
    return (f'; for {len(others)} of them there is a file whose name differs in capitals, or in '
            f'how accents are written: {name} for {path}')


def _hash_all(paths: Sequence[str], track: Callable[[Iterator, int], Iterator]
              ) -> dict[str, np.ndarray | UndecodableImage]:
    """Hash all pictures in threads; those whose disk is away once more after each pause."""
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        hashed = dict(zip(paths, track(pool.map(_try_to_hash, paths), len(paths)), strict=True))
    for pause in (*images.RETRY_PAUSES, None):
        away = [path for path in paths if isinstance(hashed[path], UnreadableImage)]
        if away and pause is None:
            reason = first_line(hashed[away[0]].__cause__)
            raise UnreadableImage(images.word_unreadable(away[0], reason))
        if away:
            time.sleep(pause)
        hashed.update((path, _try_to_hash(path)) for path in away)
    return hashed


def _try_to_hash(path: str) -> np.ndarray | UndecodableImage | UnreadableImage:
    try:
        return hash_picture(images.read_picture(path))
    except (UndecodableImage, UnreadableImage) as error:
        return error


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
