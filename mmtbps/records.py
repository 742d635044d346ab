"""Record of one image with its captions, which generation writes and data sets read as JSON."""

import os
import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from .errors import RecordError
from .fileio import iter_json_lines

__all__ = ['Entry', 'PairRecord', 'RecordError', 'image_name', 'leads_outside', 'read_jsonl']

T = TypeVar('T', str, int, list, dict)

#: What an int or a dict is called in the file the user has open.
_JSON_NAMES = {str: 'a string', int: 'an integer', list: 'a list', dict: 'an object'}
_LARGEST = 2**53
_DRIVE = re.compile('[A-Za-z]:')


class Entry:
    """One JSON object, read key by key with errors that name its place.

    Args:
        raw: The decoded object.
        where: Name of its place in an error, e.g. ``'reid_raw.json, record 7'``.

    Raises:
        RecordError: If ``raw`` is not an object, or ``take`` finds no such key or another type.

    >>> Entry({'id': 3}, 'a.json, record 1').take('id', int)
    3
    >>> Entry({'id': '3'}, 'a.json, record 1').take('id', int)
    Traceback (most recent call last):
    mmtbps.errors.RecordError: a.json, record 1: key 'id' must be an integer, got '3'
    """

    __slots__ = ('raw', 'where')

    def __init__(self, raw: Any, where: str) -> None:
        if not isinstance(raw, dict):
            raise RecordError(f'{where}: expected an object {{...}}, got {_short(raw)}')
        self.raw = raw
        self.where = where

    def take(self, key: str, kind: type[T]) -> T:
        """Return the value of ``key``, which must be there and of type ``kind``."""
        if key not in self.raw:
            keys = ', '.join(map(repr, self.raw)) or 'none'
            raise RecordError(f'{self.where}: key {key!r} is missing (keys: {keys})')
        value = self.raw[key]
        # A bool is an int to Python, yet `true` is no person id.
        if not isinstance(value, kind) or isinstance(value, bool):
            raise RecordError(
                f'{self.where}: key {key!r} must be {_JSON_NAMES[kind]}, got {_short(value)}')
        if kind is int and abs(value) > _LARGEST:
            raise RecordError(f'{self.where}: key {key!r} must lie within 2**53, as far as all '
                              f'programs read the same integer, got {_short(value)}')
        return value

    def take_or_none(self, key: str, kind: type[T]) -> T | None:
        """Return the value as :meth:`take` does, but ``None`` for a missing key or ``null``."""
        return None if self.raw.get(key) is None else self.take(key, kind)

    def take_share_or_none(self, key: str) -> float | None:
        """Return a number from 0 to 1, but ``None`` for a missing key or ``null``."""
        value = self.raw.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
            raise RecordError(f'{self.where}: key {key!r} must be a number from 0 to 1, got '
                              f'{_short(value)}')
        return float(value)


    def take_strings(self, key: str) -> tuple[str, ...]:
        """Return the strings of a list."""
        values = self.take(key, list)
        for value in values:
            if not isinstance(value, str):
                raise RecordError(f'{self.where}: key {key!r} must hold strings only, got '
                                  f'{_short(value)}')
        return tuple(values)

    def take_query_images(self, captions: Sequence[Any]) -> tuple[str, ...] | None:
        """Return the pictures of composed queries, one a caption; ``None`` if it has none."""
        if self.raw.get('query_images') is None:
            return None
        images = self.take_strings('query_images')
        if len(images) != len(captions):
            raise RecordError(f"{self.where}: key 'query_images' must have a picture for each of "
                              f'the {len(captions)} captions, got {len(images)}')
        return images


@dataclass(frozen=True, slots=True)
class PairRecord:
    """One image, its captions and the person in it.

    Args:
        image: Path of the image, relative to the image folder of its annotation file.
        captions: Descriptions by people (or an editor); one or more.
        person_id: Identity as the file numbers it, not relabelled.
        split: ``'train'``, ``'val'`` or ``'test'``.
        source: For a generated pair the ``image`` it was made from, written as in the original
            record, so that a hold-out of people also holds out what was made from them.
            ``None`` for a real pair.
        edit: Changes a generator made (free-form, JSON types only).
        scores: Measurements of its checks, by name (finite numbers).
        pair_weight: Weight of a generated pair in the loss, from 0 to 1; ``None`` for that of a
            real one, which is 1.
        query_images: Where the captions are composed queries, the picture that each begins from
            ("this person, in a red coat"), relative like ``image``; as many as ``captions``.

    >>> record = PairRecord('a/1.jpg', ('A man in red.',), person_id=7, split='train')
    >>> record.to_json()
    {'image': 'a/1.jpg', 'captions': ['A man in red.'], 'person_id': 7, 'split': 'train'}
    >>> PairRecord.from_json(record.to_json()) == record
    True
    """

    image: str
    captions: tuple[str, ...]
    person_id: int
    split: str
    source: str | None = None
    edit: dict | None = None
    scores: dict | None = None
    pair_weight: float | None = None
    query_images: tuple[str, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return a dict of JSON types; the optional fields only where they are set."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        values['captions'] = list(self.captions)
        if self.query_images is not None:
            values['query_images'] = list(self.query_images)
        return {name: value for name, value in values.items() if value is not None}

    @classmethod
    def from_json(cls, raw: dict[str, Any], where: str = 'record',
                  allow_outside: bool = False) -> 'PairRecord':
        """Read a record written by :meth:`to_json`.

        Args:
            raw: The decoded object.
            where: Name of its place in an error.
            allow_outside: As in :func:`image_name`.

        Raises:
            RecordError: On a missing or unknown key, a wrong type, a caption that is no text or an
                image outside its folder; the message starts with ``where``.
        """
        entry = Entry(raw, where)
        known = {f.name for f in fields(cls)}
        if unknown := sorted(raw.keys() - known):
            raise RecordError(f'{where}: unknown key {unknown[0]!r} (known: {sorted(known)})')
        captions = entry.take_strings('captions')
        composed = entry.take_query_images(captions)
        source = entry.take_or_none('source', str)
        return cls(
            image=image_name(entry.take('image', str), where, allow_outside),
            captions=captions,
            person_id=entry.take('person_id', int), split=entry.take('split', str),
            source=source and image_name(source, where, allow_outside),
            edit=entry.take_or_none('edit', dict), scores=entry.take_or_none('scores', dict),
            pair_weight=entry.take_share_or_none('pair_weight'),
            query_images=composed and tuple(
                image_name(path, where, allow_outside) for path in composed))


def image_name(path: str, where: str = 'record', allow_outside: bool = False) -> str:
    """Return the path of an image as a record gives it, with ``/`` and without ``.`` and ``..``.

    A path is judged by its text: it may name whatever lies below the folder that it is joined to,
    links included, and nothing else. Annotation files come from strangers.

    Args:
        path: Path in a record; the separator may be that of Windows.
        where: Name of the record in an error.
        allow_outside: Let it lead out of the folder.

    Raises:
        RecordError: If it leads out of the folder.

    >>> image_name('cam_a\\\\1.jpg')
    'cam_a/1.jpg'
    >>> image_name('a/../../b.jpg', allow_outside=True)
    '../b.jpg'
    """
    if not allow_outside and leads_outside(path):
        raise RecordError(
            f'{where}: image {_short(path)} leads out of the image folder; write paths relative '
            'to that folder, or set allow_outside=True if these are meant')
    return posixpath.normpath(path.replace('\\', '/')) if path else path


def leads_outside(path: str) -> bool:
    """Tell from its text whether a path leads out of the folder that it is joined to.

    >>> [leads_outside(path) for path in ('a/../b.jpg', '../b.jpg', 'a/../../b.jpg', 'C:b.jpg')]
    [False, True, True, True]
    """
    path = path.replace('\\', '/')
    return (path.startswith('/') or _DRIVE.match(path) is not None
            or posixpath.normpath(path).split('/')[0] == '..')


def read_jsonl(path: str | os.PathLike, allow_outside: bool = False) -> list[PairRecord]:
    """Read all records of a JSONL file, in order.

    Args:
        path: The file.
        allow_outside: As in :func:`image_name`.

    Raises:
        RecordError: Naming ``file:line`` of the first line that is no valid record. Only a
            half-written last line is ignored, with a warning.
    """
    return [PairRecord.from_json(raw, f'{path}:{number}', allow_outside)
            for number, raw in iter_json_lines(path)]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f'{text[:57]}...'
