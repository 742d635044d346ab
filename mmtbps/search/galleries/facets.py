"""Facets of a gallery: the values that its people can be filtered by."""

from collections.abc import Iterable
from dataclasses import dataclass

from .entries import GalleryEntry

__all__ = ['Facets']


@dataclass(frozen=True)
class Facets:
    """The values that the people of a gallery can be filtered by.

    Args:
        count: Number of entries.
        cameras: Their cameras, sorted.
        times: The earliest and the latest time, if any is known.
        tracks: Whether tracks are known.
    """

    count: int = 0
    cameras: tuple[str, ...] = ()
    times: tuple[float, float] | None = None
    tracks: bool = False

    @classmethod
    def of(cls, entries: Iterable[GalleryEntry]) -> 'Facets':
        """Look through all entries once.

        Args:
            entries: Of a gallery.

        Example:
            >>> Facets.of([GalleryEntry('1', 'a.jpg', camera='c1', time=5.)])
            Facets(count=1, cameras=('c1',), times=(5.0, 5.0), tracks=False)
        """
        count, cameras, low, high, tracks = 0, set(), None, None, False
        for entry in entries:
            count += 1
            tracks = tracks or entry.track is not None
            if entry.camera is not None:
                cameras.add(entry.camera)
            if entry.time is not None:
                low = entry.time if low is None else min(low, entry.time)
                high = entry.time if high is None else max(high, entry.time)
        return cls(count, tuple(sorted(cameras)), None if low is None else (low, high), tracks)
