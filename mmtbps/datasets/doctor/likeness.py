"""Perceptual hashes of pictures: copies that were saved, scaled or brightened anew."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

import numpy as np
from PIL import Image

__all__ = ['MOST_BITS', 'find_alike', 'hash_picture']

_ROWS, _COLUMNS, _CHROMA = 16, 8, 8
#: Bits of a hash, and how many of them may differ between copies.
BITS = 2 * _ROWS * _COLUMNS + 2 * _CHROMA * _CHROMA // 2
#: On drawn people copies differ in up to 37 (JPEG at quality 50, other size or brightness: 9 of 10
#: in up to 20), other pictures in 75 and more.
MOST_BITS = 31
#: Hashes that are compared with others at a time.
_CHUNK = 1024


def hash_picture(image: Image.Image) -> np.ndarray:
    """Hash a picture so that copies of it differ in few bits.

    Bits say whether a place of the picture is lighter than the one to its right and the one below,
    and whether it is redder and bluer than the picture is on average: clothes of other colours are
    no copies. Scale, brightness and the quality of a JPEG change few of them.

    Args:
        image: RGB of any size.

    Returns:
        ``(320,)`` bool.
    """
    small = image.convert('YCbCr').resize((_COLUMNS + 1, _ROWS + 1), Image.Resampling.BOX)
    light = np.asarray(small, np.float32)[..., 0]
    right = (light[:-1, :-1] > light[:-1, 1:] + .5)
    below = (light[:-1, :-1] > light[1:, :-1] + .5)
    chroma = np.asarray(image.convert('YCbCr').resize((_CHROMA // 2, _CHROMA),
                                                      Image.Resampling.BOX), np.float32)[..., 1:]
    tinted = chroma > chroma.mean((0, 1)) + .5
    return np.concatenate([right.ravel(), below.ravel(), tinted.ravel()])


def find_alike(hashes: Mapping[str, np.ndarray], most_bits: int = MOST_BITS) -> list[list[str]]:
    """Find groups of pictures whose hashes differ in few bits, each from one of its group at least.

    Hashes that differ in n bits are equal in one of n + 1 bands, so only those are compared; where
    bands tell little apart, each is compared with each, as one product of matrices.

    Args:
        hashes: of `hash_picture`, by path.
        most_bits: that may differ.

    Returns:
        Groups of two paths or more, all in the order of ``hashes``.

    Example:
        >>> one, other = np.zeros(320, bool), np.zeros(320, bool)
        >>> other[:3] = True
        >>> find_alike({'a': one, 'b': other, 'c': ~one})
        [['a', 'b']]
    """
    names = list(hashes)
    if len(names) < 2:
        return []
    packed = np.packbits(np.stack([hashes[name] for name in names]), axis=1)
    distinct, places = np.unique(packed, axis=0, return_inverse=True)
    labels = np.arange(len(distinct))
    signs = np.unpackbits(distinct, axis=1, count=BITS).astype(np.float32) * 2 - 1
    buckets = [rows for band in _bands(most_bits + 1) for rows in _buckets(signs[:, band] > 0)]
    if sum(len(rows) ** 2 for rows in buckets) > len(labels) ** 2:
        buckets = [np.arange(len(labels))]
    for rows in buckets:
        _join(signs, rows, most_bits, labels)
    groups = defaultdict(list)
    for name, label in zip(names, labels[places.ravel()].tolist(), strict=True):
        groups[label].append(name)
    return [group for group in groups.values() if len(group) > 1]


def _bands(count: int) -> list[np.ndarray]:
    """Divide the places of bits; in disorder, for those of neighbours tell little more than one."""
    return np.array_split(np.random.default_rng(0).permutation(BITS), count)


def _buckets(keys: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the rows that are equal, two or more each."""
    _, places = np.unique(np.packbits(keys, axis=1), axis=0, return_inverse=True)
    places = places.ravel()
    order = np.argsort(places, kind='stable')
    yield from (rows for rows in np.split(order, np.flatnonzero(np.diff(places[order])) + 1)
                if len(rows) > 1)


def _join(signs: np.ndarray, rows: np.ndarray, most_bits: int, labels: np.ndarray) -> None:
    """Give hashes of a bucket that are close enough one label, and all that had theirs."""
    for start in range(0, len(rows), _CHUNK):
        rest = rows[start:]
        near = signs[rest[:_CHUNK]] @ signs[rest].T >= BITS - 2 * most_bits
        for place in np.flatnonzero(near.sum(1) > 1):
            found = np.unique(labels[rest[near[place]]])
            if len(found) > 1:
                labels[np.isin(labels, found)] = found[0]
