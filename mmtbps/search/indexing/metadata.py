"""Metadata of images, read of a table beside them."""

import csv
import io
import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

from mmtbps.errors import BadValue
from mmtbps.fileio import as_path

from ..galleries.base import GalleryEntry
from ..galleries.filters import check_key, parse_time

__all__ = ['Metadata', 'MetadataError', 'count_lost', 'describe', 'known_of', 'merge',
           'read_metadata']

#: Keys that detection finds by itself; a table neither gives nor takes them of people it found.
_FOUND = ('detection_score', 'first_seen', 'last_seen', 'video_time')
_COLUMNS = ('time', 'camera', 'track')


class MetadataError(BadValue):
    """A table that cannot be read; the message names file and line."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """Facts of a table on one image; the fields are those of `GalleryEntry`.

    Args:
        time: When it was taken, in seconds since 1970 (UTC); of a video, when it begins.
        camera: Where.
        track: Name of the track it belongs to. Not used where a detector finds the people.
        extra: All other columns that are not empty.
        said: Keys that the row has, be they empty or not; of the others it says nothing. ``None``
            for all.
    """

    time: float | None = None
    camera: str | None = None
    track: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)
    said: frozenset[str] | None = field(default=None, compare=False)


def read_metadata(path: str | os.PathLike) -> dict[str, Metadata]:
    """Read a table of images: CSV with a header, or JSON Lines.

    Each row has ``path``, relative to the folder of the images with ``/`` between folders, and any
    of ``camera``, ``time`` and ``track``; every other column is a key of one's own. A time is a
    number of seconds since 1970 or ISO 8601 (``2024-05-01``, ``2024-05-01T13:45:00+02:00``), in
    UTC where it names no zone. An empty cell or ``null`` says that nothing is known of its key; a
    key that a row does not have leaves what is known.

    Args:
        path: A ``.csv``, ``.jsonl`` or ``.ndjson`` file in UTF-8, or its address in an object
            store.

    Returns:
        What is known of each path.

    Raises:
        MetadataError: Naming file and line of a path that is missing or there twice, of a time
            that is none, of a broken line.
        FileNotFoundError: If there is no such file.
    """
    suffix = as_path(path).suffix.lower()
    readers = {'.csv': _csv_rows, '.jsonl': _json_rows, '.ndjson': _json_rows}
    if suffix not in readers:
        raise MetadataError(f'{path}: a table of metadata is .csv or .jsonl')
    try:
        text = as_path(path).read_text(encoding='utf-8-sig')
    except UnicodeDecodeError as error:
        raise MetadataError(f'{path}: not in UTF-8 ({error})') from error
    table: dict[str, Metadata] = {}
    lines: dict[str, int] = {}
    for line, row in readers[suffix](text, str(path)):
        where = f'{path}:{line}'
        name, known = _read_row(row, where)
        if name in table:
            raise MetadataError(f'{where}: {name!r} is in line {lines[name]} already')
        table[name], lines[name] = known, line
    return table


def describe(entry: GalleryEntry, known: Metadata) -> GalleryEntry:
    """Replace the metadata of an entry by that of its file.

    What detection found stays: box, track, its keys of ``extra``, and where in a video it was.

    Args:
        entry: Of a crop, or of a person in it.
        known: Of the file.

    Example:
        >>> found = GalleryEntry('7', 'a.mp4', frame=50, box=(0, 0, 9, 9),
        ...                      extra={'video_time': '2'})
        >>> describe(found, Metadata(time=1000., camera='c1')).time
        1002.0
    """
    if entry.box is None:
        return replace(entry, camera=known.camera, time=known.time, track=known.track,
                       extra=dict(known.extra))
    found = {key: entry.extra[key] for key in _FOUND if key in entry.extra}
    time, offset = known.time, _offset(entry)
    if None not in (time, offset):
        time += offset
    return replace(entry, camera=known.camera, time=time, extra={**_said(known.extra), **found})


def merge(known: Metadata, row: Metadata) -> Metadata:
    """Combine what is known of a file with a row of a table; keys that the row has not stay.

    Example:
        >>> merge(Metadata(5., 'c1', extra={'coat': 'red', 'bag': 'blue'}),
        ...       Metadata(camera='c2', said=frozenset({'camera', 'coat'})))
        Metadata(time=5.0, camera='c2', track=None, extra={'bag': 'blue'}, said=None)
    """
    if row.said is None:
        return row
    kept = {key: getattr(known, key) for key in _COLUMNS if key not in row.said}
    extra = {key: value for key, value in known.extra.items() if key not in row.said}
    return replace(row, **kept, extra={**extra, **row.extra}, said=None)


def count_lost(former: Metadata, now: Metadata) -> int:
    """Count the facts that were known and are not any more.

    Example:
        >>> count_lost(Metadata(5., 'c1', extra={'coat': 'red'}), Metadata(camera='c2'))
        2
    """
    columns = [key for key in _COLUMNS
               if getattr(former, key) is not None and getattr(now, key) is None]
    return len(columns) + len(former.extra.keys() - now.extra.keys())


def known_of(entry: GalleryEntry) -> Metadata:
    """Return the metadata of its file that `describe` gave an entry.

    Example:
        >>> known_of(describe(GalleryEntry('7', 'a.jpg'), Metadata(5., 'c1', 't', {'coat': 'red'})))
        Metadata(time=5.0, camera='c1', track='t', extra={'coat': 'red'}, said=None)
    """
    if entry.box is None:
        return Metadata(entry.time, entry.camera, entry.track, dict(entry.extra))
    time, offset = entry.time, _offset(entry)
    if None not in (time, offset):
        time = None if entry.is_undated else round(time - offset, 3)
    return Metadata(time, entry.camera, None, _said(entry.extra))


def _said(extra: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in extra.items() if key not in _FOUND}


def _offset(entry: GalleryEntry) -> float | None:
    """Return where in a video somebody was found, in seconds; the gallery may be a stranger's."""
    try:
        offset = float(entry.extra['video_time'])
    except (KeyError, ValueError):
        return None
    return offset if math.isfinite(offset) else None


def _csv_rows(text: str, name: str) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.DictReader(io.StringIO(text, newline=''), strict=True, skipinitialspace=True)
    try:
        header = reader.fieldnames or []
        if 'path' not in header:
            raise MetadataError(f"{name}:1: no column 'path' (columns: {', '.join(header)})")
        if twice := sorted({column for column in header if header.count(column) > 1}):
            raise MetadataError(f'{name}:1: column {twice[0]!r} is there twice')
        for row in reader:
            if None in row or None in row.values():
                raise MetadataError(f'{name}:{reader.line_num}: the header has {len(header)} '
                                    'columns, this line has more or less')
            yield reader.line_num, row
    except csv.Error as error:
        raise MetadataError(f'{name}:{reader.line_num}: broken CSV ({error})') from error


def _json_rows(text: str, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text.split('\n'), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise MetadataError(f'{name}:{number}: broken JSON ({error})') from error
        if not isinstance(row, dict):
            raise MetadataError(f'{name}:{number}: expected an object {{...}}')
        yield number, row


def _read_row(row: Mapping[str, Any], where: str) -> tuple[str, Metadata]:
    cells = {}
    for key, value in row.items():
        if (cell := _cell(value, f'{where}: {key!r}')) is not None:
            cells[key] = cell
    path, time = cells.pop('path', None), cells.pop('time', None)
    if path is None:
        raise MetadataError(f"{where}: no 'path'")
    if 'frame' in cells:
        raise MetadataError(f"{where}: the index finds 'frame' itself; give the key another name")
    try:
        known = Metadata(None if time is None else parse_time(time), cells.pop('camera', None),
                         cells.pop('track', None), {check_key(key): cells[key] for key in cells},
                         frozenset(row))
    except ValueError as error:
        raise MetadataError(f'{where}: {error}') from error
    return str(PurePosixPath(path)), known


def _cell(value: Any, where: str) -> str | None:
    """Convert a value to text, ``None`` for an empty one."""
    if value is None or isinstance(value, str):
        cell = (value or '').strip()
        if not cell.isprintable() and any('\ud800' <= sign <= '\udfff' for sign in cell):
            raise MetadataError(f'{where} is no valid Unicode text')
        return cell or None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise MetadataError(f'{where} must be a text or a number, got {str(value)[:60]}')
    return str(value)
