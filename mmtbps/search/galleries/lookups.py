"""Look-ups of a gallery: what a batch of files or a page needs, in place of all entries."""

import heapq
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from .entries import GalleryEntry
from .facets import Facets
from .filters import Condition, OneOf, is_storable

__all__ = ['GalleryLookups']

#: Values of one question to the storage.
_AT_ONCE = 1000


class GalleryLookups(ABC):
    """Look-ups of a gallery, with defaults that walk through it where the storage has no way.

    A kind of gallery whose storage answers faster replaces the methods that begin with an
    underscore.
    """

    def known(self, paths: Iterable[str]) -> dict[str, list[GalleryEntry]]:
        """Find the entries of files.

        Args:
            paths: Spelled as the gallery keeps them.

        Returns:
            The entries of each path that has any.
        """
        return self._grouped('path', paths)

    def known_contents(self, hashes: Iterable[str]) -> dict[str, list[GalleryEntry]]:
        """Find the entries of contents, under whatever path.

        Args:
            hashes: SHA-256 of files.

        Returns:
            The entries of each content that has any.
        """
        return self._grouped('sha256', hashes)

    def find(self, ids: Iterable[str]) -> dict[str, GalleryEntry]:
        """Find entries by id, and pass over ids that are not there; see `get` for features."""
        ids = list(dict.fromkeys(ids))
        found: dict[str, GalleryEntry] = {}
        for part in _parts(ids if ids and self._is_there() else []):
            found |= {key: entry for key, (entry, _) in self._get(part).items()}
        return {key: found[key] for key in ids if key in found}

    def sample(self, count: int) -> list[GalleryEntry]:
        """Choose entries of so many files or fewer, one each, scattered over the gallery."""
        return self._sample(count) if self._is_there() else []

    def facets(self) -> Facets:
        """Find the values that the entries can be filtered by."""
        return self._facets() if self._is_there() else Facets()

    def knows(self, key: str) -> bool:
        """Tell whether any entry has a value of a key, a column of its own or a free one."""
        return self._is_there() and self._has_value(OneOf(key, ()))

    @abstractmethod
    def _is_there(self) -> bool: ...

    @abstractmethod
    def _entries(self, conditions: tuple[Condition, ...]) -> Iterator[GalleryEntry]: ...

    @abstractmethod
    def _get(self, ids: list[str]) -> dict[str, tuple[GalleryEntry, np.ndarray]]: ...

    @abstractmethod
    def _fits(self, conditions: tuple[Condition, ...], entry: GalleryEntry) -> bool: ...

    def _has_value(self, condition: Condition) -> bool:
        """Tell whether any entry has a value of the key of a condition, a column or a free one."""
        return any(value is not None for value in condition.values_of(self._entries(())))

    def _with_paths(self, paths: tuple[str, ...]) -> Iterator[GalleryEntry]:
        wanted = (OneOf('path', paths), )
        return (entry for entry in self._entries(wanted) if self._fits(wanted, entry))

    def _with_contents(self, hashes: tuple[str, ...]) -> Iterator[GalleryEntry]:
        wanted = frozenset(hashes)
        return (entry for entry in self._entries(()) if entry.sha256 in wanted)

    def _sample(self, count: int) -> list[GalleryEntry]:
        chosen = heapq.nsmallest(count, dict.fromkeys(entry.path for entry in self._entries(())),
                                 key=lambda path: zlib.crc32(path.encode()))
        return [entries[0] for entries in self.known(chosen).values()]

    def _facets(self) -> Facets:
        return Facets.of(self._entries(()))

    def _grouped(self, name: str, values: Iterable[str]) -> dict[str, list[GalleryEntry]]:
        values = [value for value in dict.fromkeys(values) if is_storable(value)]
        ask = dict(path=self._with_paths, sha256=self._with_contents)[name]
        found: dict[str, list[GalleryEntry]] = {}
        for part in _parts(values if values and self._is_there() else []):
            for entry in ask(tuple(part)):
                found.setdefault(getattr(entry, name), []).append(entry)
        return found


def _parts(values: Sequence[str]) -> Iterator[list[str]]:
    return (list(values[start:start + _AT_ONCE]) for start in range(0, len(values), _AT_ONCE))
