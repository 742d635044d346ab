"""Galleries in memory, exact, kept in a folder of safetensors and JSON; they need numpy alone.

The folder is a log. A call of ``upsert`` or ``delete`` writes a part: features, entries and the
ids that went. When a part is whole and on disk, ``gallery.json`` is replaced by one that lists it;
this replacement is the only moment at which anything changes, so a kill leaves the old gallery or
the new one. A part takes smaller ones before it into itself, hence there are few of them.
Processes write one after another, by a lock of the folder, and see what the others wrote.
"""

import contextlib
import json
import re
import threading
import uuid
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from mmtbps.errors import BadValue
from mmtbps.fileio import folder_size, why_no_file, write_durably

from .base import RESTORE, BaseGallery, GalleryEntry, GalleryUnreadable, Hit
from .entries import check_vectors
from .filters import Condition
from .fingerprint import MOST_DIMS
from .memory_parts import sum_of_part
from .top_scores import best
from .write_lock import gallery_lock

__all__ = ['MemoryGallery']

COMMIT_FILE = 'gallery.json'
SCHEMA = 'mmtbps.gallery/1'
_PART = re.compile(r'part-\w+(?=$|\.(json|safetensors)(\.partial)?$)')
_BLOCK = 1 << 24  # similarities held at once: 64 MB


class _FileGone(GalleryUnreadable, FileNotFoundError):
    """A file of a gallery, such as a part that is listed, that is not there."""


class MemoryGallery(BaseGallery):
    """Gallery searched exactly by one product of matrices; for up to some 100,000 entries.

    All features are in memory (300 MB for 100,000 of length 768) and in a folder.

    Args:
        uri: The folder.
        fingerprint: See `BaseGallery`.

    Raises:
        ValueError: If the folder holds something else, or its files are damaged.

    Example:
        >>> import tempfile
        >>> gallery = MemoryGallery(tempfile.mkdtemp() + '/people', dict(model='toy', dim=2))
        >>> gallery.upsert([GalleryEntry('a', 'a.jpg', camera='c1'), GalleryEntry('b', 'b.jpg')],
        ...                np.eye(2, dtype=np.float32))
        >>> query = np.array([[0.6, 0.8]], np.float32)
        >>> [(hit.entry.path, round(hit.score, 2)) for hit in gallery.search(query)[0]]
        [('b.jpg', 0.8), ('a.jpg', 0.6)]
        >>> gallery.count(where={'camera': 'c1'})
        1
    """

    def info(self) -> dict[str, Any]:
        self._require()
        with self._latest():
            return dict(kind='memory', uri=self.uri, entries=len(self._people), dim=self.dim,
                        bytes=folder_size(self._folder), index='none, exact',
                        fingerprint=self.fingerprint)

    def optimize(self) -> None:
        if not self._is_there():
            return
        with self._writing():
            if len(self._parts) > 1:
                self._commit(list(self._rows), merge_all=True)
            self._clear()

    def _open(self, fingerprint: dict[str, Any] | None) -> dict[str, Any] | None:
        self._folder, self._mutex = Path(self.uri), threading.RLock()
        commit = self._folder / COMMIT_FILE
        if fingerprint is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            with gallery_lock(self._folder):
                if not commit.exists() or not self._read_commit()['parts']:
                    self._write_commit([], {}, fingerprint)
        elif not commit.exists():
            # It is written before any part; another process may have begun it meanwhile.
            if any(self._folder.glob('part-*')) and not commit.exists():
                raise BadValue(f'{commit} is gone, and parts of a gallery are there. {RESTORE}')
            return None
        stored = self._read_commit()
        if fingerprint is None and not stored['parts']:
            return None  # its first upsert has not come to an end
        self.fingerprint = stored['fingerprint']
        self._forget()
        return self.fingerprint

    def _check_place(self) -> None:
        others = self._folder.is_dir() and any(
            path.name != '.lock' and not path.name.startswith(('part-', COMMIT_FILE))
            for path in self._folder.iterdir())
        if others and not (self._folder / COMMIT_FILE).exists():  # it may have begun meanwhile
            raise BadValue(f'{self.uri} is a folder with other files and no gallery: name a new '
                           'one')

    def _upsert(self, entries: list[GalleryEntry], vectors: np.ndarray) -> None:
        with self._writing():
            self._apply(entries, vectors, [])
            self._commit([entry.id for entry in entries])

    def _delete_ids(self, ids: list[str]) -> int:
        with self._writing():
            return self._remove([key for key in ids if key in self._rows])

    def _delete_where(self, conditions: tuple[Condition, ...]) -> int:
        with self._writing():
            return self._remove([self._people[row].id for row in self._matching(conditions)])

    def _search(self, vectors: np.ndarray, topk: int,
                conditions: tuple[Condition, ...]) -> list[list[Hit]]:
        with self._latest():
            rows = self._matching(conditions) if conditions else None
            features = self._features[:len(self._people)].T
            step = max(1, _BLOCK // max(1, len(self._people)))
            return [[Hit(self._people[row], float(scores[row]), feature=features[:, row].copy())
                     for row in best(scores, topk, rows)]
                    for start in range(0, len(vectors), step)
                    for scores in vectors[start:start + step] @ features]

    def _entries(self, conditions: tuple[Condition, ...]) -> Iterator[GalleryEntry]:
        with self._latest():
            found = [self._people[row] for row in self._matching(conditions)]
        return iter(found)

    def _has_value(self, condition: Condition) -> bool:
        with self._latest():
            return any(value is not None for value in condition.values_of(self._people))

    def _with_contents(self, hashes: tuple[str, ...]) -> Iterator[GalleryEntry]:
        wanted = frozenset(hashes)
        with self._latest():
            return iter([entry for entry in self._people if entry.sha256 in wanted])

    def _changes(self, since: Any) -> tuple[list[GalleryEntry], Any]:
        with self._latest():
            log, tick = since if since and since[0] is self._ticks else (self._ticks, 0)
            new = takewhile(lambda item: item[1] > tick, reversed(self._ticks.items()))
            return [self._people[self._rows[key]] for key, _ in new], (log, self._tick)

    def _get(self, ids: list[str]) -> dict[str, tuple[GalleryEntry, np.ndarray]]:
        with self._latest():
            return {key: (self._people[row], self._features[row].copy())
                    for key in ids if (row := self._rows.get(key)) is not None}

    def _count(self, conditions: tuple[Condition, ...]) -> int:
        with self._latest():
            return len(self._matching(conditions)) if conditions else len(self._people)

    def _matching(self, conditions: tuple[Condition, ...]) -> np.ndarray:
        passed = np.ones(len(self._people), bool)
        for condition in conditions:
            passed &= np.asarray(condition.select(self._people), bool)
        return np.flatnonzero(passed)

    def _remove(self, ids: list[str]) -> int:
        if ids:
            self._apply([], self._features[:0], ids)
            self._commit(ids)
        return len(ids)

    def _close(self) -> None:
        if self._begun:
            with self._mutex:
                self._forget()

    # What is in memory: row by row an entry and its feature, and the row of each id.

    def _forget(self) -> None:
        self._parts: list[str] = []
        self._sums: dict[str, str] = {}  # SHA-256 by part
        self._touched: list[set[str]] = []  # by part, the ids that it adds or removes
        self._people: list[GalleryEntry] = []
        self._rows: dict[str, int] = {}
        self._ticks: dict[str, int] = {}  # by id, in the order in which they were stored last
        self._tick = 0
        self._features = np.empty((0, self.dim), np.float32)

    def _apply(self, entries: list[GalleryEntry], vectors: np.ndarray, removed: list[str]) -> None:
        if removed:
            gone = set(removed)
            kept = [row for row, entry in enumerate(self._people) if entry.id not in gone]
            self._features = self._features[kept]
            self._people = [self._people[row] for row in kept]
            self._rows = {entry.id: row for row, entry in enumerate(self._people)}
            for key in gone:
                self._ticks.pop(key, None)
        new = sum(entry.id not in self._rows for entry in entries)
        if len(self._people) + new > len(self._features):
            room = max(len(self._people) + new, 2 * len(self._features))
            grown = np.empty((room, self.dim), np.float32)
            grown[:len(self._people)] = self._features[:len(self._people)]
            self._features = grown
        self._tick += 1
        for entry in entries:
            row = self._rows.setdefault(entry.id, len(self._people))
            self._people[row:row + 1] = [entry]
            self._ticks.pop(entry.id, None)
            self._ticks[entry.id] = self._tick
        if vectors is not self._features:
            self._features[[self._rows[entry.id] for entry in entries]] = vectors

    # What is on disk.

    @contextlib.contextmanager
    def _latest(self) -> Iterator[None]:
        with self._mutex:
            self._catch_up()
            yield

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        with self._mutex, gallery_lock(self._folder):
            self._catch_up()
            try:
                yield
            except BaseException:
                self._forget()  # memory may be ahead of the disk: read it again
                raise

    def _catch_up(self) -> None:
        for last_try in (False,) * 9 + (True,):
            try:
                commit = self._read_commit()
            except FileNotFoundError as error:
                raise _FileGone(f'{self._folder / COMMIT_FILE} is gone. {RESTORE}') from error
            self._check_unchanged(commit['fingerprint'])
            names, sums = commit['parts'], commit.get('sha256', {})
            known = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1],
                                             zip(names, self._parts, strict=False)))
            if not known:
                self._forget()
            # A part tells the last of all ids that it took over, so it may be applied on top of
            # the parts that it replaces.
            del self._parts[known:], self._touched[known:]
            self._sums = {name: self._sums[name] for name in self._parts}
            try:
                for name in names[known:]:
                    self._read_part(name, sums.get(name))
                return
            except FileNotFoundError as error:
                if last_try:  # else a writer has merged the part meanwhile
                    raise _FileGone(f'{self._folder / COMMIT_FILE} lists a file that is gone '
                                    f'({error}). {RESTORE}') from error

    def _read_part(self, name: str, expected: str | None) -> None:
        path = self._folder / name
        try:
            found = sum_of_part(path)
            if expected not in (None, found):
                raise ValueError('its checksum is another')
            log = json.loads(path.with_suffix('.json').read_bytes())
            entries = [GalleryEntry.from_json(fields) for fields in log['entries']]
            vectors = load_file(path.with_suffix('.safetensors'))['features']
            self._check_part(entries, vectors)
            if not self._people:
                self._features = vectors  # as it is, without a copy
            self._apply(entries, vectors, log['removed'])
        except (SafetensorError, AttributeError, KeyError, RecursionError, TypeError, ValueError
                ) as error:
            self._forget()
            raise BadValue(f'{path}.*: damaged ({error}). {RESTORE}') from error
        self._parts.append(name)
        self._sums[name] = found
        self._touched.append({entry.id for entry in entries} | set(log['removed']))

    def _check_part(self, entries: list[GalleryEntry], vectors: np.ndarray) -> None:
        """Refuse features that are not one unit row of the gallery's for each entry."""
        expected = (len(entries), self.fingerprint['dim'])
        if vectors.shape != expected or vectors.dtype != np.float32:
            raise ValueError(f'its features are {vectors.dtype} of shape {vectors.shape}, and must '
                             f'be float32 of {expected}')
        check_vectors(vectors, self.dim)
        if len({entry.id for entry in entries}) < len(entries):
            raise ValueError('an entry stands twice in it')

    def _read_commit(self) -> dict[str, Any]:
        path = self._folder / COMMIT_FILE
        try:
            if reason := why_no_file(path, ''):
                raise ValueError(reason)
            commit = json.loads(path.read_bytes())
            schema, parts, fingerprint = (commit[key] for key in ('schema', 'parts', 'fingerprint'))
            if schema != SCHEMA:
                raise BadValue(f'{path}: schema {schema!r}, but this version reads {SCHEMA!r}')
            if not isinstance(parts, list) or len(
                    {*filter(_PART.fullmatch, parts)}) < len(parts):
                raise ValueError('a part is no name, or stands twice')
            if not isinstance(commit.get('sha256', {}), dict):
                raise TypeError('checksums have names')
            if type(dim := fingerprint['dim']) is not int or not 0 < dim <= MOST_DIMS:
                raise ValueError('features of no such size')
        except BadValue:
            raise
        except (KeyError, RecursionError, TypeError, ValueError):
            raise BadValue(f'{path} is no gallery of mmtbps, or damaged. {RESTORE}') from None
        return commit

    def _write_commit(self, parts: list[str], sums: dict[str, str],
                      fingerprint: dict[str, Any]) -> None:
        commit = dict(schema=SCHEMA, parts=parts, sha256=sums, fingerprint=fingerprint)
        write_durably(self._folder / COMMIT_FILE, json.dumps(commit, indent=1).encode())

    def _commit(self, ids: list[str], merge_all: bool = False) -> None:
        """Write the changes of some ids as a part, together with the smaller parts before it."""
        touched, kept = set(ids), len(self._parts)
        while kept and (merge_all or len(self._touched[kept - 1]) <= len(touched)):
            kept -= 1
            touched |= self._touched[kept]
        rows = sorted(self._rows[key] for key in touched if key in self._rows)
        removed = sorted(key for key in touched if key not in self._rows) if kept else []
        name = f'part-{uuid.uuid4().hex[:16]}'  # never used before, so never taken for another
        log = dict(entries=[self._people[row].to_json() for row in rows], removed=removed)
        path = self._folder / name
        write_durably(path.with_suffix('.json'), json.dumps(log, ensure_ascii=False).encode())
        features = {'features': self._features[rows]}
        write_durably(path.with_suffix('.safetensors'), lambda to: save_file(features, to))
        parts = [*self._parts[:kept], name]
        self._sums = {part: self._sums[part] for part in parts[:-1]} | {name: sum_of_part(path)}
        self._write_commit(parts, self._sums, self.fingerprint)
        self._parts, self._touched = parts, [*self._touched[:kept], touched]
        self._clear()

    def _clear(self) -> None:
        """Remove the parts that are not listed: merged now, or left by a kill."""
        for path in self._folder.glob('part-*'):
            if (part := _PART.match(path.name)) and part[0] not in self._parts:
                path.unlink(missing_ok=True)
