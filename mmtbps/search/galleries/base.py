"""Interface of a gallery: crops of people with their features, to be searched and filtered.

Nothing here needs torch or MMEngine, so that a deployed searcher can do without them.
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike, fspath
from typing import Any, ClassVar, NoReturn, TypeVar

import numpy as np

from mmtbps.errors import BadValue, Remedy
from mmtbps.quantities import is_count

from .caption_words import words_of_captions
from .entries import ROUNDING, GalleryEntry, Hit, check_entries, check_vectors
from .faults import (
    RESTORE,
    GalleryChanged,
    GalleryClosed,
    GalleryDamaged,
    GalleryUnreadable,
    NoGallery,
    UnknownEntry,
)
from .filters import KINDS, Condition, read_where
from .fingerprint import CAPTIONS, check_fingerprint, is_same_model
from .lookups import GalleryLookups
from .mismatch import CaptionMismatch, GalleryMismatch, mismatch_of
from .names import find_unknown_values, spell_as_stored, suggest_key
from .note_places import NoteFile, NotePlace
from .provenance import read_provenance

__all__ = ['RESTORE', 'BaseGallery', 'CaptionMismatch', 'GalleryChanged', 'GalleryClosed',
           'GalleryEntry', 'GalleryMismatch', 'GalleryUnreadable', 'Hit', 'NoGallery',
           'UnknownEntry']

T = TypeVar('T')
Gallery = TypeVar('Gallery', bound='BaseGallery')


class BaseGallery(GalleryLookups):
    """Base of galleries: unit features of crops, with the facts known of each.

    What a caller may do is here, checked once for all kinds of galleries; a kind of its own fills
    in the methods that begin with an underscore and may take its arguments for sound.

    A new gallery is there once something is in it: the first ``upsert`` begins it.

    Args:
        uri: Where it is kept.
        fingerprint: Of model and pipeline whose features it holds; JSON types, with ``dim``. A new
            gallery stores it; an existing one must have the same. ``None`` opens whatever is
            there.

    Raises:
        NoGallery: There is no gallery and no fingerprint to begin one with.
        GalleryMismatch: If it holds features of another model.
        CaptionMismatch: If it holds other captions, or another share of them.
    """

    #: Form of the address of a kind that is on a server.
    address_form: ClassVar[str] = ''
    uri: str
    fingerprint: dict[str, Any]

    def __init__(self, uri: str | PathLike, fingerprint: Mapping[str, Any] | None = None) -> None:
        self.uri = fspath(uri)
        wanted = None if fingerprint is None else check_fingerprint(fingerprint)
        self._model, self._begun, self._closed = fingerprint, False, False
        found = self._open(None)
        if found is not None:
            self._take(found)
        elif wanted is None:
            self._require()
        else:
            self.check_name(self.uri)
            self._check_place()
            self.fingerprint = wanted

    @property
    def dim(self) -> int:
        """Length of a feature."""
        return self.fingerprint['dim']

    @property
    def note(self) -> NotePlace:
        """Place of its note of model and images, see `read_provenance`."""
        return NoteFile(self.uri)

    def close(self) -> None:
        """Let go of connections and memory; whoever uses the gallery afterwards opens it again."""
        if not self._closed:
            self._closed = True
            self._close()

    def __enter__(self: Gallery) -> Gallery:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

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
        self._check_limits(entries)
        if len(entries):
            if not self._is_there():
                self._take(self._open(self.fingerprint))
            self._upsert(list(entries), vectors)

    def delete(self, ids: Sequence[str] | None = None,
               where: Mapping[str, Any] | None = None) -> int:
        """Remove by id or by filter (one of the two); return the number removed.

        Ids that are not there are passed over.

        Raises:
            BadValue: Neither or both are given, the filter is ill-formed, no entry has a key of it,
                or it chooses by time entries of which earlier versions noted no date.
        """
        if (ids is None) == (where is None):
            raise BadValue('delete takes either ids or a filter')
        if ids is not None:
            ids = _distinct(ids)
            return self._delete_ids(ids) if ids and self._is_there() else 0
        if not where:
            raise BadValue('an empty filter would remove all entries; name what is to go')
        conditions = self._read_filter(where)
        going = self._entries(conditions) if self._is_there() else ()
        going = [self._fits(conditions, entry) for entry in going]
        if not all(going):
            raise BadValue(f'{self.uri}: some of these are of videos without a date, and have a '
                           'time since the start of the video, as earlier versions stored it. '
                           'Index the videos again, which puts that right; nothing was removed')
        removed = self._delete_where(conditions) if going else 0
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
            GalleryUnreadable: If what is stored is damaged.
        """
        vectors, conditions = check_vectors(vectors, self.dim), self._read_filter(where)
        if not is_count(topk):
            raise BadValue(f'topk must be a whole number from 1, got {topk!r}')
        there = len(vectors) and self._is_there()
        hits = self._search(vectors, int(topk), conditions) if there else [[] for _ in vectors]
        hits = [[hit for hit in row if self._fits(conditions, hit.entry)] for row in hits]
        for hit in (hit for row in hits for hit in row):
            if not abs(hit.score) <= 1 + ROUNDING:  # also false for NaN
                self._damaged(f'{hit.entry.path!r} has a score of {hit.score:.4g}, which no '
                              'feature of length 1 can have')
        # The seventh digit is that of the arithmetic: equal images come in a fixed order.
        hits = [sorted(row, key=lambda hit: (-round(hit.score, 6), hit.entry.id)) for row in hits]
        return hits if any(hits) else self._nothing(conditions, hits)

    def entries(self, where: Mapping[str, Any] | None = None) -> Iterator[GalleryEntry]:
        """Yield all entries, or those of a filter, in no order."""
        conditions = self._read_filter(where)
        found = self._entries(conditions) if self._is_there() else ()
        return (entry for entry in found if self._fits(conditions, entry))

    def changes(self, since: Any = None) -> tuple[list[GalleryEntry], Any]:
        """List the entries that were stored, also again, since a former call.

        Nothing is said of those that went. Some may be listed that were not stored since: after
        the gallery was compacted, or where it keeps no order (Milvus), all of them.

        Args:
            since: The mark that the former call has returned; ``None`` lists all.

        Returns:
            The entries, in no order, and the mark for the next call, which is of use to this object
            alone.
        """
        return self._changes(since) if self._is_there() else ([], None)

    def get(self, ids: Sequence[str]) -> tuple[list[GalleryEntry], np.ndarray]:
        """Get entries and ``(N, dim)`` vectors of ids, in their order.

        Raises:
            UnknownEntry: There is none of an id.
            GalleryUnreadable: If what is stored is damaged.
        """
        ids = list(ids) if not isinstance(ids, str) else ids
        found = self._get(_distinct(ids)) if len(ids) and self._is_there() else {}
        for key in ids:
            if key not in found:
                raise UnknownEntry(f'{self.uri} has no entry {key!r}')
        vectors = np.array([found[key][1] for key in ids], np.float32)
        try:
            return ([found[key][0] for key in ids],
                    check_vectors(vectors.reshape(len(ids), self.dim), self.dim))
        except ValueError as error:
            self._damaged(str(error), error)

    def count(self, where: Mapping[str, Any] | None = None) -> int:
        """Count the entries, or those of a filter."""
        conditions = self._read_filter(where)
        count = self._count(conditions) if self._is_there() else 0
        return count or self._nothing(conditions, 0)

    def unknown_values(self, where: Mapping[str, Any]) -> list[tuple[str, str, str | None]]:
        """Find the values of a filter that no entry has, see `find_unknown_values`."""
        return find_unknown_values(self._read_filter(where), lambda: self.entries())

    @abstractmethod
    def info(self) -> dict[str, Any]:
        """Describe the gallery: kind, uri, entries, dim, bytes on disk, index, fingerprint.

        Raises:
            NoGallery: Nothing is in it yet.
        """

    @abstractmethod
    def optimize(self) -> None:
        """Fold what was added or removed into the files and the index; drop old versions.

        Of what was removed or replaced, nothing is left in the files of a gallery on this machine.
        """

    def build_index(self, kind: str) -> list[str]:
        """Build an index of a kind, or drop it; return lines for people on what it costs.

        Raises:
            BadValue: A gallery of this kind has no index of one's choice.
        """
        raise BadValue(f'{self.uri}: an index of {kind!r} can be chosen for a gallery in '
                       'PostgreSQL; those of LanceDB build theirs by themselves')

    @abstractmethod
    def _open(self, fingerprint: dict[str, Any] | None) -> dict[str, Any] | None:
        """Open the gallery, or begin it with a fingerprint; return the one stored, if any is."""

    @classmethod  # noqa: B027
    def check_name(cls, uri: str) -> None:
        """Check that a gallery of this kind may have such an address; nothing is opened."""

    def _check_place(self) -> None:  # noqa: B027
        """Check that a gallery can begin here, before there is anything to store."""

    def _check_limits(self, entries: Sequence[GalleryEntry]) -> None:  # noqa: B027
        """Check that a gallery of this kind can hold entries, before it begins with them."""

    @abstractmethod
    def _upsert(self, entries: list[GalleryEntry], vectors: np.ndarray) -> None: ...

    @abstractmethod
    def _delete_ids(self, ids: list[str]) -> int: ...

    @abstractmethod
    def _delete_where(self, conditions: tuple[Condition, ...]) -> int: ...

    @abstractmethod
    def _search(self, vectors: np.ndarray, topk: int,
                conditions: tuple[Condition, ...]) -> list[list[Hit]]: ...

    def _changes(self, since: Any) -> tuple[list[GalleryEntry], Any]:
        return list(self._entries(())), None

    @abstractmethod
    def _count(self, conditions: tuple[Condition, ...]) -> int: ...

    def _close(self) -> None:  # noqa: B027
        """Let go of what the storage holds."""

    def _take(self, found: dict[str, Any]) -> None:
        """Take the gallery that is there, if it is of the model at hand."""
        if self._model is not None and not is_same_model(found, self._model):
            raise mismatch_of(self.uri, found, self._model)
        self.fingerprint, self._begun = found, True

    def _is_there(self) -> bool:
        """Tell whether the gallery was begun, here or meanwhile by another process."""
        if self._closed:
            raise GalleryClosed(f'{self.uri} was closed: open it again')
        if not self._begun and (found := self._open(None)) is not None:
            self._take(found)
        return self._begun

    def _require(self) -> None:
        if not self._is_there():
            raise NoGallery(f'{self.uri}: there is no gallery. Make one from a folder of images',
                            Remedy('index', dict(gallery=self.uri)))

    def _check_unchanged(self, stored: Mapping[str, Any]) -> None:
        """Check that the fingerprint that is stored now is the one that was found."""
        if stored != self.fingerprint:
            raise GalleryChanged(f'{self.uri} was made anew with another model: open it again')

    def _fits(self, conditions: tuple[Condition, ...], entry: GalleryEntry) -> bool:
        """Tell whether an entry that a filter found is one: a time in a video is no date.

        A column of a filter may be damaged, and the entry is not.
        """
        for condition in conditions:
            if not condition.select([entry])[0]:
                self._damaged(f'{entry.path!r} was found by a {condition.key} that it has not')
        return not (entry.is_undated and any(each.key == 'time' for each in conditions))

    def _damaged(self, reason: str, error: Exception | None = None) -> NoReturn:
        raise GalleryDamaged(f'{self.uri}: damaged ({reason}). {RESTORE}') from error

    def _read_filter(self, where: Mapping[str, Any] | None) -> tuple[Condition, ...]:
        """Read a filter, with its names as the gallery spells them."""
        conditions = read_where(where)
        if not conditions or not self._is_there():
            return conditions
        if CAPTIONS in self.fingerprint:
            conditions = words_of_captions(conditions)
        return spell_as_stored(conditions, lambda: self._entries(()),
                               lambda: read_provenance(self).images)

    def _nothing(self, conditions: tuple[Condition, ...], answer: T) -> T:
        """Return an empty answer, unless no entry of the gallery has a key of the filter."""
        for condition in conditions if self._begun else ():
            if not self._has_value(condition) and self._count(()):
                raise BadValue(f'filter by {condition.key!r}: no entry of {self.uri} has ' + (
                    f'such a key. Known to all galleries are {", ".join(KINDS)}'
                    + suggest_key(condition.key, self._entries(()))
                    if condition.free else f'a {condition.key}'))
        return answer


def _distinct(ids: Sequence[str]) -> list[str]:
    if isinstance(ids, str):
        raise BadValue(f'ids are a list of strings, got the string {ids!r}')
    return list(dict.fromkeys(ids))
