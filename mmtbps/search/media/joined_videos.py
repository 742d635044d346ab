"""Videos that were joined end to end: their time begins again, and a seek may land in any part.

Matroska, WebM and MPEG program streams can be joined so. In other containers an index of the whole
file leads to the frames.
"""

import mmap
import os
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

__all__ = ['VideoParts', 'find_parts']

_MATROSKA, _MPEG = ('.mkv', '.webm'), ('.mpg', '.mpeg')
_MATROSKA_HEADER = re.compile(rb'\x1a\x45\xdf\xa3.{1,60}?\x42\x82', re.DOTALL)
#: PixelWidth and PixelHeight, which stand side by side, of one byte or of two.
_MATROSKA_SIZE = re.compile(rb'\xb0(?:\x81(.)|\x82(..))\xba(?:\x81(.)|\x82(..))', re.DOTALL)
_HEADER_BYTES = 8192
_MPEG_CODES = re.compile(rb'\x00\x00\x01(?:\xba(.{5})|\xb3(.{3}))', re.DOTALL)
_STEP_BACK = 45_000  # half a second of the clock of MPEG


class VideoParts(NamedTuple):
    """Parts of a video.

    Args:
        count: Number of them; 1 for a video that was not joined.
        sizes: Width and height of the picture, where they change.
    """

    count: int = 1
    sizes: tuple[tuple[int, int], ...] = ()


def find_parts(path: str | os.PathLike) -> VideoParts:
    """Find the parts of which a video was joined; its bytes are read once, nothing is decoded."""
    now = os.stat(path)
    return _find(os.fspath(path), now.st_size, now.st_mtime_ns)


@lru_cache(maxsize=256)
def _find(path: str, size: int, mtime_ns: int) -> VideoParts:
    kind = path.lower()
    if not size or not kind.endswith(_MATROSKA + _MPEG):
        return VideoParts()
    with open(path, 'rb') as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return _of_matroska(data) if kind.endswith(_MATROSKA) else _of_mpeg(data)


def _of_matroska(data: mmap.mmap) -> VideoParts:
    starts = [found.start() for found in _MATROSKA_HEADER.finditer(data)]
    sizes = []
    for start in starts:
        if found := _MATROSKA_SIZE.search(data[start:start + _HEADER_BYTES]):
            width, height = (int.from_bytes(found[one] or found[two], 'big')
                             for one, two in ((1, 2), (3, 4)))
            sizes.append((width, height))
    return VideoParts(max(len(starts), 1), _changes(sizes))


def _of_mpeg(data: mmap.mmap) -> VideoParts:
    count, last, sizes = 1, None, []
    for clock, size in _mpeg_codes(data):
        if clock is not None:
            count += last is not None and clock < last - _STEP_BACK
            last = clock
        else:
            sizes.append(size)
    return VideoParts(count, _changes(sizes))


def _mpeg_codes(data: mmap.mmap) -> Iterator[tuple[int | None, tuple[int, int] | None]]:
    """Yield the clock of each pack and the picture size of each sequence."""
    for found in _MPEG_CODES.finditer(data):
        if (code := found[1]) is None:
            bits = int.from_bytes(found[2], 'big')
            yield None, (bits >> 12, bits & 0xfff)
        elif code[0] >> 6 == 1:  # MPEG-2
            yield ((code[0] & 0x38) << 27 | (code[0] & 3) << 28 | code[1] << 20
                   | (code[2] & 0xf8) << 12 | (code[2] & 3) << 13 | code[3] << 5
                   | code[4] >> 3), None
        elif code[0] >> 4 == 2:  # MPEG-1
            yield ((code[0] & 0x0e) << 29 | code[1] << 22 | (code[2] & 0xfe) << 14
                   | code[3] << 7 | code[4] >> 1), None


def _changes(sizes: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    return tuple(size for place, size in enumerate(sizes) if not place or size != sizes[place - 1])
