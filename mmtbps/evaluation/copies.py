"""Exact copies of pictures in a gallery, and the queries that they touch.

A picture that stands twice under two ids makes a right answer count as wrong; under one id it makes
two positives of one. The published test set of CUHK-PEDES has such a pair.
"""

import hashlib
from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from mmengine.fileio import get

from mmtbps.fileio.pictures import decode_picture

__all__ = ['Copies', 'alike_rows', 'describe_copies', 'find_copies']

#: Unit features of the same pixels differ by no more than this, from the order of sums in a batch.
_ALIKE = 1e-4
#: So many neighbours of a projection are compared; a model of more equal features has collapsed.
_MOST_NEAR = 256
_SHOWN = 3


class Copies(NamedTuple):
    """Places of a gallery that hold the same picture.

    Args:
        rows: Their places, at least two, ascending.
        same_bytes: Whether the files are equal, too; otherwise the pixels alone are.
    """

    rows: tuple[int, ...]
    same_bytes: bool


def find_copies(paths: Sequence[str], among: Iterable[int] | None = None,
                pixels: bool = True) -> list[Copies]:
    """Find the pictures of a gallery that are exact copies of each other, by hash.

    Args:
        paths: Of the pictures; one that cannot be read is passed over.
        among: Places to look at; by default all.
        pixels: Find files that differ in bytes and hold the same pixels, too, for which every
            picture is decoded.

    Returns:
        The groups, in the order of their first places.

    Example:
        >>> find_copies(['gone.jpg', 'gone.jpg'])
        []
    """
    places: dict[str, list[int]] = {}
    files: dict[int, str] = {}
    for row in sorted(range(len(paths)) if among is None else among):
        try:
            data = get(paths[row])
            image = decode_picture(data).image if pixels else None
        except Exception:  # storage backends and decoders have errors of their own
            continue
        files[row] = hashlib.sha256(data).hexdigest()
        content = files[row] if image is None else hashlib.sha256(
            repr(image.size).encode() + image.tobytes()).hexdigest()
        places.setdefault(content, []).append(row)
    return [Copies(tuple(rows), len({files[row] for row in rows}) == 1)
            for rows in places.values() if len(rows) > 1]


def alike_rows(features: np.ndarray) -> list[int]:
    """Find the rows of a matrix that have an equal, but for rounding: the only possible copies.

    It costs one sorting, not a comparison of all with all: equal rows have an equal projection.

    Args:
        features: ``(N, D)`` of pictures.

    Example:
        >>> alike_rows(np.float32([[1, 0], [0, 1], [1, 0]]))
        [0, 2]
    """
    features = np.asarray(features, np.float64)
    features = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    direction = np.random.default_rng(0).normal(size=features.shape[1])
    places = features @ (direction / np.linalg.norm(direction))
    order = np.argsort(places, kind='stable')
    found: set[int] = set()
    for step in range(1, min(len(order), _MOST_NEAR)):
        first, second = order[:-step], order[step:]
        near = places[second] - places[first] <= _ALIKE
        if not near.any():
            break
        first, second = first[near], second[near]
        same = np.linalg.norm(features[first] - features[second], axis=1) <= _ALIKE
        found.update(first[same].tolist(), second[same].tolist())
    return sorted(found)


def describe_copies(copies: Sequence[Copies], paths: Sequence[str], people: Sequence[Hashable],
                    query_people: Sequence[Hashable]) -> str:
    """Word which pictures of a gallery are copies, and how many queries they touch.

    Args:
        copies: Of `find_copies`.
        paths: Of the pictures.
        people: Person of each picture.
        query_people: Person of each query.

    Returns:
        Nothing where there are no copies.

    Example:
        >>> describe_copies([Copies((0, 2), True)], ['a.jpg', 'b.jpg', 'c.jpg'], 'xyz', 'xxyz')
        'copies: 1 (a.jpg = c.jpg, same file, 2 people); 3 of 4 queries are of these people'
    """
    if not copies:
        return ''
    named = [' = '.join(str(paths[row]) for row in group.rows)
             + (', same file' if group.same_bytes else ', same pixels')
             + (f', {count} people' if (count := len({people[row] for row in group.rows})) > 1
                else ', 1 person') for group in copies[:_SHOWN]]
    named += [f'and {len(copies) - _SHOWN} more'] if len(copies) > _SHOWN else []
    concerned = {people[row] for group in copies for row in group.rows}
    touched = sum(person in concerned for person in query_people)
    return (f'copies: {len(copies)} ({"; ".join(named)}); {touched:,} of {len(query_people):,} '
            'queries are of these people')
