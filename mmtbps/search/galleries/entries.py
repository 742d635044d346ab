"""Entries of a gallery, their features, and the checks of both."""

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from mmtbps.errors import BadValue

from .filters import KINDS, check_key, check_value

__all__ = ['ROUNDING', 'GalleryEntry', 'Hit', 'check_entries', 'check_vectors', 'seal',
           'unseal']

#: By so much a length or a score may differ from what it should be.
ROUNDING = 1e-3
_SUM = ', "mmtbps.crc32": '
_UNKNOWN = type(None)
_TYPES = dict(id=str, path=str, size=int, sha256=str, camera=(str, _UNKNOWN),
              time=(int, float, _UNKNOWN), track=(str, _UNKNOWN), frame=(int, _UNKNOWN),
              box=(tuple, list, _UNKNOWN), extra=Mapping, mtime_ns=(int, _UNKNOWN),
              caption=(str, _UNKNOWN))


@dataclass(frozen=True, slots=True)
class GalleryEntry:
    """One crop of a person.

    Args:
        id: Names the entry in its gallery; the same file (and frame, and box) has the same id.
        path: Of the image the crop is in, as it was given to the index.
        size: Of the file in bytes.
        sha256: Of the file's content.
        camera: Where it was taken, if known.
        time: When, in seconds since 1970 (UTC); ``None`` for a video that has no date.
        track: Name of the track it belongs to, if known.
        frame: Number of the frame in a video, from 0.
        box: (left, top, right, bottom) in pixels of the image or frame; ``None`` for all of it.
        extra: Keys of one's own; string values.
        mtime_ns: When the file was last modified, in nanoseconds since 1970; ``None`` where that
            was not noted. A file that was only touched gives an equal entry.
        caption: Sentences on the crop whose feature is in that of the entry; ``None`` for none.
    """

    id: str
    path: str
    size: int = 0
    sha256: str = ''
    camera: str | None = None
    time: float | None = None
    track: str | None = None
    frame: int | None = None
    box: tuple[int, int, int, int] | None = None
    extra: Mapping[str, str] = field(default_factory=dict)
    mtime_ns: int | None = field(default=None, compare=False)
    caption: str | None = None

    @property
    def is_undated(self) -> bool:
        """True if ``time`` counts from the start of a video, as earlier versions stored it."""
        return self.time is not None and self.extra.get('video_time') == f'{self.time:.3f}'

    def to_json(self) -> dict[str, Any]:
        """Return a dict of JSON types; `from_json` reads it back."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        if self.caption is None:  # entries without one are read by earlier versions, too
            del values['caption']
        return dict(values, box=self.box and list(self.box), extra=dict(self.extra))

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> 'GalleryEntry':
        """Read an entry written by `to_json`.

        Raises:
            ValueError: A value is of another kind; or any of the errors by which another structure
                is noticed.
        """
        box = values.get('box')
        entry = cls(**{**values, 'box': None if box is None else tuple(box)})
        if misfit := _find_misfit(entry):
            raise ValueError(misfit)
        return entry


@dataclass(frozen=True, slots=True)
class Hit:
    """An entry found, with its cosine similarity to the query, -1 to 1.

    ``match`` is the score of a second stage that saw it, without bounds; ``feature`` is that of the
    entry, where the search brought it.
    """

    entry: GalleryEntry
    score: float
    match: float | None = None
    feature: np.ndarray | None = field(default=None, repr=False, compare=False)


def check_vectors(vectors: np.ndarray, dim: int) -> np.ndarray:
    """Check features and return them as contiguous float32.

    Raises:
        ValueError: If they are not ``(N, dim)``, not finite or not of length 1.
    """
    vectors = np.ascontiguousarray(vectors, np.float32)
    if vectors.ndim != 2 or vectors.shape[1] != dim:
        raise BadValue(f'features must be of shape (N, {dim}), got {vectors.shape}')
    with np.errstate(over='ignore'):  # of damaged ones
        lengths = np.linalg.norm(vectors, axis=1)
    if not np.all(np.abs(lengths - 1) < ROUNDING):  # also false for NaN
        row = int(np.argmin(np.abs(lengths - 1) < ROUNDING))
        raise BadValue(f'feature {row} has length {lengths[row]:.4g}, not 1: normalise features '
                       'before they go to a gallery')
    return vectors


def check_entries(entries: Sequence[GalleryEntry]) -> None:
    """Check that entries can be stored and found again.

    Raises:
        ValueError: Naming the entry and what is wrong.
    """
    seen = set()
    for entry in entries:
        if entry.id in seen:
            raise BadValue(f'entry {entry.id!r} comes twice in one call')
        seen.add(entry.id)
        if not entry.id:
            raise BadValue(f'the entry of {entry.path!r} has an empty id')
        for key in ('id', 'path', 'sha256', 'camera', 'track', 'time', 'frame', 'caption'):
            value = getattr(entry, key)
            if value is not None or key in ('id', 'path', 'sha256'):
                check_value(key, value, f'entry {entry.id!r}')
        if misfit := _find_misfit(entry):
            raise BadValue(f'entry {entry.id!r}: {misfit}')
        for key, value in entry.extra.items():
            if check_key(key) in KINDS:
                raise BadValue(f'entry {entry.id!r}: {key!r} is a column of its own and cannot '
                               'be in extra')
            check_value(key, value, f'entry {entry.id!r}')


def _find_misfit(entry: GalleryEntry) -> str | None:
    """Find a value that is of another kind than its field; ``None`` if all fit."""
    values = {name: getattr(entry, name) for name in _TYPES}
    odd = [name for name, kinds in _TYPES.items() if not isinstance(values[name], kinds)]
    if not odd and entry.time is not None and not abs(entry.time) < 2**53:  # also refuses NaN
        odd = ['time']
    if not odd and entry.box is not None and (len(entry.box) != 4 or not all(
            isinstance(side, (int, float)) for side in entry.box)):
        odd = ['box']
    if odd:
        return f'{odd[0]!r} cannot be {str(values[odd[0]])[:60]!r}'
    return next((f'{key!r} must be text, got {str(value)[:60]}'
                 for key, value in entry.extra.items() if not isinstance(value, str)), None)


def seal(entry: GalleryEntry, vector: np.ndarray) -> str:
    """Write an entry as JSON that ends with checksums of itself and of its ``(dim, )`` feature."""
    text = json.dumps(entry.to_json(), ensure_ascii=False)
    return f'{text[:-1]}{_SUM}[{_crc32(text)}, {_crc32(vector)}]}}'


def unseal(text: str, vector: np.ndarray | None) -> GalleryEntry:
    """Read an entry written by `seal`, or by an earlier version without a checksum.

    Args:
        text: JSON.
        vector: The ``(dim, )`` feature stored with it; None if only the text was read.

    Raises:
        ValueError: Text or feature are not those that were written; or any of the errors by which
            JSON of another kind is noticed.

    Example:
        >>> feature = np.float32([0.6, 0.8])
        >>> text = seal(GalleryEntry('a', 'a.jpg'), feature)
        >>> unseal(text, feature).path
        'a.jpg'
        >>> unseal(text, -feature)
        Traceback (most recent call last):
        ValueError: its checksum is another
    """
    start, mark, end = text.rpartition(_SUM)
    plain = f'{start}}}' if mark else text
    if mark:
        found = [_crc32(plain), None if vector is None else _crc32(vector)]
        if any(sum not in (None, noted) for sum, noted in zip(
                found, json.loads(end[:-1]), strict=True)):
            raise ValueError('its checksum is another')
    if vector is not None:
        check_vectors(vector[None], len(vector))
    return GalleryEntry.from_json(json.loads(plain))


def _crc32(content: str | np.ndarray) -> int:
    return zlib.crc32(content.encode() if isinstance(content, str)
                      else np.ascontiguousarray(content, np.float32).tobytes())
