"""Perceptual hashes of pictures: copies that were saved, scaled or brightened anew."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from PIL import Image

__all__ = ['MOST_BITS', 'find_alike', 'hash_picture']

_ROWS, _COLUMNS, _CHROMA = 16, 8, 8
#: Bits of a hash, and how many of them may differ between copies.
BITS = 2 * _ROWS * _COLUMNS + 2 * _CHROMA * _CHROMA // 2
#: On drawn people copies differ in up to 37 (JPEG at quality 50, other size or brightness: 9 of 10
#: in up to 20), other pictures in 75 and more.
MOST_BITS = 31
#: Ones in each byte.
_ONES = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(1, dtype=np.uint8)


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


def find_alike(hashes: Mapping[str, np.ndarray], most_bits: int = MOST_BITS
               ) -> list[tuple[str, str, int]]:
    """Find pairs of pictures whose hashes differ in few bits.

    Hashes that differ in n bits are equal in one of n + 1 bands, so only those are compared.

    Args:
        hashes: of `hash_picture`, by path.
        most_bits: that may differ.

    Returns:
        Both paths, in the order of ``hashes``, and the number of bits.

    Example:
        >>> one, other = np.zeros(320, bool), np.zeros(320, bool)
        >>> other[:3] = True
        >>> find_alike({'a': one, 'b': other, 'c': ~one})
        [('a', 'b', 3)]
    """
    names = list(hashes)
    if len(names) < 2:
        return []
    matrix = np.stack([hashes[name] for name in names])
    packed, found = np.packbits(matrix, axis=1), {}
    for band in np.array_split(np.arange(matrix.shape[1]), most_bits + 1):
        keys = np.packbits(matrix[:, band], axis=1)
        buckets = defaultdict(list)
        for row, key in enumerate(keys):
            buckets[key.tobytes()].append(row)
        for rows in buckets.values():
            _compare(packed, rows, most_bits, found)
    return [(names[i], names[j], bits) for (i, j), bits in sorted(found.items())]


def _compare(packed: np.ndarray, rows: Sequence[int], most_bits: int,
             found: dict[tuple[int, int], int]) -> None:
    """Add the pairs of a bucket that are close enough."""
    for place, row in enumerate(rows[:-1]):
        others = np.asarray(rows[place + 1:])
        bits = _ONES[packed[others] ^ packed[row]].sum(1)
        for other, count in zip(others[bits <= most_bits], bits[bits <= most_bits], strict=True):
            found[row, int(other)] = int(count)


def groups_of(pairs: Iterable[tuple[str, str, int]]) -> list[list[str]]:
    """Join pairs to groups.

    Example:
        >>> groups_of([('a', 'b', 1), ('b', 'c', 2), ('x', 'y', 0)])
        [['a', 'b', 'c'], ['x', 'y']]
    """
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            name = parent[name]
        return name

    for first, second, _ in pairs:
        parent[root(second)] = root(first)
    groups = defaultdict(list)
    for name in parent:
        groups[root(name)].append(name)
    return list(groups.values())
