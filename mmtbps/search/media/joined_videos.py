"""Videos that were joined end to end: their time begins again, and a seek may land in any part.

Matroska, WebM and MPEG program streams can be joined so. In other containers an index of the whole
file leads to the frames, so that nothing is read of what was joined behind it.
"""

import mmap
import os
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np

__all__ = ['VideoParts', 'find_parts']

_MATROSKA_HEADER = re.compile(rb'\x1a\x45\xdf\xa3.{1,60}?\x42\x82.(?:matroska|webm)', re.DOTALL)
#: PixelWidth and PixelHeight, which stand side by side, of one byte or of two.
_MATROSKA_SIZE = re.compile(rb'\xb0(?:\x81(.)|\x82(..))\xba(?:\x81(.)|\x82(..))', re.DOTALL)
_HEADER_BYTES = 8192
#: Of the picture size that the border of two packets cuts in two, there is another one later.
_MPEG_CODES = re.compile(rb'\x00\x00\x01(?:\xba(.{5})|\xb3(?!.{0,2}\x00\x00\x01)(.{3}))',
                         re.DOTALL)
_STEP_BACK = 45_000  # half a second of the clock of MPEG
_PACKET, _PACKETS = 188, 100_000
_ASF_HEADER = bytes.fromhex('3026b2758e66cf11a6d900aa0062ce6c')


class VideoParts(NamedTuple):
    """Parts of a video.

    Args:
        count: Number of them; 1 for a video that was not joined.
        sizes: Width and height of the picture, where they change.
        starts: Places of the bytes at which the parts begin, where they can be read by themselves.
        behind: Number of further videos behind the end, of which nothing is read.
    """

    count: int = 1
    sizes: tuple[tuple[int, int], ...] = ()
    starts: tuple[int, ...] = ()
    behind: int = 0


def find_parts(path: str | os.PathLike) -> VideoParts:
    """Find the parts of which a video was joined; its bytes are read once, nothing is decoded."""
    now = os.stat(path)
    return _find(os.fspath(path), now.st_size, now.st_mtime_ns)


@lru_cache(maxsize=256)
def _find(path: str, size: int, mtime_ns: int) -> VideoParts:
    if not size:
        return VideoParts()
    with open(path, 'rb') as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        read = next((read for begin, read in _READERS if begin.match(data)), None)
        return VideoParts() if read is None else read(data)


def _of_matroska(data: mmap.mmap) -> VideoParts:
    starts = [found.start() for found in _MATROSKA_HEADER.finditer(data)]
    sizes = []
    for start in starts:
        if found := _MATROSKA_SIZE.search(data[start:start + _HEADER_BYTES]):
            width, height = (int.from_bytes(found[one] or found[two], 'big')
                             for one, two in ((1, 2), (3, 4)))
            sizes.append((width, height))
    return VideoParts(max(len(starts), 1), _changes(sizes), tuple(starts))


def _of_mp4(data: mmap.mmap) -> VideoParts:
    """Count the indexes; a video has one."""
    indexes = place = 0
    while place + 8 <= len(data):
        size, kind = int.from_bytes(data[place:place + 4], 'big'), data[place + 4:place + 8]
        if size == 1:
            size = int.from_bytes(data[place + 8:place + 16], 'big')
        indexes += kind == b'moov'
        if size < 8:  # to the end, or broken
            break
        place += size
    return VideoParts(behind=max(indexes - 1, 0))


def _of_asf(data: mmap.mmap) -> VideoParts:
    headers = place = 0
    while place + 24 <= len(data):
        size = int.from_bytes(data[place + 16:place + 24], 'little')
        headers += data[place:place + 16] == _ASF_HEADER
        if size < 24:
            break
        place += size
    return VideoParts(behind=max(headers - 1, 0))


def _of_mpeg(data: mmap.mmap) -> VideoParts:
    count, last, sizes = 1, None, []
    for clock, size in _mpeg_codes(data):
        if clock is not None:
            count += last is not None and clock < last - _STEP_BACK
            last = clock
        else:
            sizes.append(size)
    return VideoParts(count, _changes(sizes))


def _of_transport(data: mmap.mmap) -> VideoParts:
    """Count the steps back of the clock of a transport stream, which recorders call .mpg, too."""
    count, last = 1, None
    for start in range(0, len(data) // _PACKET * _PACKET, _PACKETS * _PACKET):
        part = np.frombuffer(data[start:start + _PACKETS * _PACKET], np.uint8)
        packets = part[:len(part) // _PACKET * _PACKET].reshape(-1, _PACKET)
        timed = packets[(packets[:, 3] & 0x20 > 0) & (packets[:, 4] > 0) & (packets[:, 5] & 16 > 0)]
        clock = timed[:, 6:10].astype(np.int64) @ (1 << np.arange(25, 0, -8)) + (timed[:, 10] >> 7)
        clock = clock if last is None else np.concatenate([[last], clock])
        count += int((np.diff(clock) < -_STEP_BACK).sum())
        last = clock[-1] if len(clock) else last
    return VideoParts(count)


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


#: By the first bytes, for the ending of a name may be another's.
_READERS = [(re.compile(begin, re.DOTALL), read) for begin, read in (
    (rb'\x1a\x45\xdf\xa3', _of_matroska), (rb'\x00\x00\x01', _of_mpeg),
    (rb'....(?:ftyp|moov|mdat|free|skip|wide)', _of_mp4),
    (re.escape(_ASF_HEADER), _of_asf), (rb'\x47.{187}\x47', _of_transport))]
