"""Interface of a gallery: crops of people with their features, to be searched and filtered.

Nothing here needs torch or MMEngine, so that a deployed searcher can do without them.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from numbers import Integral
from os import PathLike, fspath
from typing import Any, TypeVar

import numpy as np

from mmtbps.errors import BadValue, MissingFile, Remedy, UserError

from .filters import KINDS, Condition, check_key, check_value, read_where
from .fingerprint import check_fingerprint, is_same_model

__all__ = ['BaseGallery', 'GalleryChanged', 'GalleryEntry', 'GalleryMismatch', 'GalleryUnreadable',
           'Hit', 'NoGallery', 'UnknownEntry']

T = TypeVar('T')


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

    @property
    def is_undated(self) -> bool:
        """True if ``time`` counts from the start of a video, as earlier versions stored it."""
        return self.time is not None and self.extra.get('video_time') == f'{self.time:.3f}'

    def to_json(self) -> dict[str, Any]:
        """Return a dict of JSON types; `from_json` reads it back."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return dict(values, box=self.box and list(self.box), extra=dict(self.extra))

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> 'GalleryEntry':
        """Read an entry written by `to_json`."""
        box = values.get('box')
        return cls(**{**values, 'box': None if box is None else tuple(box)})


@dataclass(frozen=True, slots=True)
class Hit:
    """An entry found, with its cosine similarity to the query, -1 to 1."""

    entry: GalleryEntry
    score: float


class NoGallery(MissingFile):
    """An address at which there is no gallery."""


class GalleryUnreadable(UserError, RuntimeError):
    """A gallery whose files are damaged or gone, or whose storage does not answer."""


class UnknownEntry(UserError, KeyError):
    """An id that no entry of the gallery has."""

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would quote it


class GalleryChanged(BadValue):
    """A gallery that another process has made anew with another model since it was opened."""


class GalleryMismatch(BadValue):
    """A gallery of features of another model than the one at hand.

    Args:
        uri: Of the gallery.
        stored: The fingerprint of the gallery.
        given: The fingerprint of the model.
    """

    def __init__(self, uri: str, stored: Mapping[str, Any], given: Mapping[str, Any]) -> None:
        differs = ', '.join(f'{key}: {_short(stored.get(key))} there, {_short(given.get(key))} here'
                            for key in sorted(stored.keys() | given.keys())
                            if stored.get(key) != given.get(key))
        super().__init__(
            f'{uri} holds features of another model ({differs}); they cannot be compared with '
            'those of this one. Index the images again, into a new gallery',
            Remedy('index', dict(gallery='NEW.lance')))
        self.uri, self.stored, self.given = uri, dict(stored), dict(given)

    def __reduce__(self) -> tuple:
        return type(self), (self.uri, self.stored, self.given)


class BaseGallery(ABC):
    """Base of galleries: unit features of crops, with the facts known of each.

    What a caller may do is here, checked once for all kinds of galleries; a kind of its own fills
    in the methods that begin with an underscore and may take its arguments for sound.

    Args:
        uri: Where it is kept.
        fingerprint: Of model and pipeline whose features it holds; JSON types, with ``dim``. A new
            gallery stores it; an existing one must have the same. ``None`` opens whatever is
            there.

    Raises:
        NoGallery: There is no gallery and no fingerprint to begin one with.
        GalleryMismatch: If it holds features of another model.
    """

    uri: str
    fingerprint: dict[str, Any]

    def __init__(self, uri: str | PathLike, fingerprint: Mapping[str, Any] | None = None) -> None:
        self.uri = fspath(uri)
        wanted = None if fingerprint is None else check_fingerprint(fingerprint)
        found = self._open(wanted)
        if found is None:
            raise NoGallery(f'{self.uri}: there is no gallery. Make one from a folder of images',
                            Remedy('index', dict(gallery=self.uri)))
        if fingerprint is not None and not is_same_model(found, fingerprint):
            raise GalleryMismatch(self.uri, found, wanted)
        self.fingerprint = found

    @property
    def dim(self) -> int:
        """Length of a feature."""
        return self.fingerprint['dim']

    def upsert(self, entries: Sequence[GalleryEntry], vectors: np.ndarray) -> None:
        """Add or replace by id; on return all of it is safe on disk.

        Args:
            entries: N entries with distinct ids.
            vectors: ``(N, dim)`` float32 unit features.

        Raises:
            ValueError: If entries and vectors do not fit each other or the gallery; nothing is
                stored then.
        """
        vectors = check_vectors(vectors, self.dim)
        check_entries(entries)
        if len(entries) != len(vectors):
            raise BadValue(f'{len(entries)} entries with {len(vectors)} features')
        if len(entries):
            self._upsert(list(entries), vectors)

    def delete(self, ids: Sequence[str] | None = None,
               where: Mapping[str, Any] | None = None) -> int:
        """Remove by id or by filter (one of the two); return the number removed.

        Ids that are not there are passed over.
        """
        if (ids is None) == (where is None):
            raise BadValue('delete takes either ids or a filter')
        if ids is not None:
            return self._delete_ids(_distinct(ids)) if len(ids) else 0
        if not where:
            raise BadValue('an empty filter would remove all entries; name what is to go')
        conditions = read_where(where)
        removed = self._delete_where(conditions)
        return removed or self._nothing(conditions, 0)

    def search(self, vectors: np.ndarray, topk: int = 10,
               where: Mapping[str, Any] | None = None) -> list[list[Hit]]:
        """Find the best entries of each query, best first; fewer than ``topk`` if there are fewer.

        Args:
            vectors: ``(Q, dim)`` float32 unit features.
            topk: At most so many, at least 1.
            where: See `mmtbps.search.galleries.filters`.

        Raises:
            ValueError: If a vector or the filter is ill-formed, or no entry has a key of it.
        """
        vectors, conditions = check_vectors(vectors, self.dim), read_where(where)
        if isinstance(topk, bool) or not isinstance(topk, Integral) or topk < 1:
            raise BadValue(f'topk must be a whole number from 1, got {topk!r}')
        hits = self._search(vectors, int(topk), conditions) if len(vectors) else []
        # The seventh digit is that of the arithmetic: equal images come in a fixed order.
        hits = [sorted(row, key=lambda hit: (-round(hit.score, 6), hit.entry.id)) for row in hits]
        return hits if any(hits) else self._nothing(conditions, hits)

    def entries(self, where: Mapping[str, Any] | None = None) -> Iterator[GalleryEntry]:
        """Yield all entries, or those of a filter, in no order."""
        return self._entries(read_where(where))

    def get(self, ids: Sequence[str]) -> tuple[list[GalleryEntry], np.ndarray]:
        """Get entries and ``(N, dim)`` vectors of ids, in their order.

        Raises:
            UnknownEntry: There is none of an id.
        """
        found = self._get(_distinct(ids)) if len(ids) else {}
        for key in ids:
            if key not in found:
                raise UnknownEntry(f'{self.uri} has no entry {key!r}')
        vectors = np.array([found[key][1] for key in ids], np.float32)
        return [found[key][0] for key in ids], vectors.reshape(len(ids), self.dim)

    def count(self, where: Mapping[str, Any] | None = None) -> int:
        """Count the entries, or those of a filter."""
        conditions = read_where(where)
        return self._count(conditions) or self._nothing(conditions, 0)

    @abstractmethod
    def info(self) -> dict[str, Any]:
        """Describe the gallery: kind, uri, entries, dim, bytes on disk, index, fingerprint."""

    @abstractmethod
    def optimize(self) -> None:
        """Fold what was added or removed into the files and the index; drop old versions."""

    @abstractmethod
    def _open(self, fingerprint: dict[str, Any] | None) -> dict[str, Any] | None:
        """Open the gallery, or else begin it with a fingerprint; return the one that is stored."""

    @abstractmethod
    def _upsert(self, entries: list[GalleryEntry], vectors: np.ndarray) -> None: ...

    @abstractmethod
    def _delete_ids(self, ids: list[str]) -> int: ...

    @abstractmethod
    def _delete_where(self, conditions: tuple[Condition, ...]) -> int: ...

    @abstractmethod
    def _search(self, vectors: np.ndarray, topk: int,
                conditions: tuple[Condition, ...]) -> list[list[Hit]]: ...

    @abstractmethod
    def _entries(self, conditions: tuple[Condition, ...]) -> Iterator[GalleryEntry]: ...

    @abstractmethod
    def _get(self, ids: list[str]) -> dict[str, tuple[GalleryEntry, np.ndarray]]:
        """Get the entries that are there, by id."""

    @abstractmethod
    def _count(self, conditions: tuple[Condition, ...]) -> int: ...

    @abstractmethod
    def _has_key(self, key: str) -> bool:
        """Tell whether any entry has a free key."""

    def _nothing(self, conditions: tuple[Condition, ...], answer: T) -> T:
        """Return an empty answer, unless no entry of the gallery has a key of the filter."""
        for condition in conditions:
            if condition.free and not self._has_key(condition.key) and self._count(()):
                raise BadValue(
                    f'filter by {condition.key!r}: no entry of {self.uri} has such a key. Known to '
                    f'all galleries are {", ".join(KINDS)}')
        return answer


def check_vectors(vectors: np.ndarray, dim: int) -> np.ndarray:
    """Check features and return them as contiguous float32.

    Raises:
        ValueError: If they are not ``(N, dim)``, not finite or not of length 1.
    """
    vectors = np.ascontiguousarray(vectors, np.float32)
    if vectors.ndim != 2 or vectors.shape[1] != dim:
        raise BadValue(f'features must be of shape (N, {dim}), got {vectors.shape}')
    lengths = np.linalg.norm(vectors, axis=1)
    if not np.all(np.abs(lengths - 1) < 1e-3):  # also false for NaN
        row = int(np.argmin(np.abs(lengths - 1) < 1e-3))
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
        for key in ('id', 'path', 'camera', 'track', 'time', 'frame'):
            value = getattr(entry, key)
            if value is not None or key in ('id', 'path'):
                check_value(key, value, f'entry {entry.id!r}')
        for key, value in entry.extra.items():
            if check_key(key) in KINDS:
                raise BadValue(f'entry {entry.id!r}: {key!r} is a column of its own and cannot '
                               'be in extra')
            check_value(key, value, f'entry {entry.id!r}')


def _distinct(ids: Sequence[str]) -> list[str]:
    if isinstance(ids, str):
        raise BadValue(f'ids are a list of strings, got the string {ids!r}')
    return list(dict.fromkeys(ids))


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 16 else f'{text[:12]}...'
