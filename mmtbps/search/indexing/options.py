"""Options of an index run."""

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmtbps.errors import BadValue
from mmtbps.fileio import JobShard

from ..media.base import SECONDS_BETWEEN_FRAMES, Detector, Tracker

__all__ = ['DetectionOptions', 'IndexOptions']


@dataclass(frozen=True, kw_only=True)
class IndexOptions:
    """Options of one index run.

    Args:
        batch_size: Crops encoded at once.
        workers: Threads that read and decode.
        commit_every: Crops stored at once. More are faster, fewer are lost when killed.
        prune: Remove what the gallery has of files that are gone from the source.
        prune_most: Let ``prune`` take more than half of the files that the gallery has of the
            source; without it that is refused, as when a drive is not there.
        progress: Show the progress.
        exclude: Patterns of files and folders below the source that are passed over, such as
            ``'thumbs'`` or ``'*/small/*'``. To ``prune`` they are not there.
        shard: (i, n): take the i-th of n parts of the files, i from 0, for n processes at a time.
        log: A JSON line is appended to this file for each file that is safe or was skipped.
        only: Files below the source that are looked at, such as those that have come since the
            last run; all by default.
        rehash: Read and hash every file; otherwise one of the size and the time of change that
            the gallery noted counts as unchanged, unread.
        images: The images' root, which paths are relative to; by default the folder that was
            indexed first, see `mmtbps.search.indexing.images_root.choose_images_root`.

    Raises:
        BadValue: One of the first three is below 1, or ``prune`` and ``only`` are both given.

    Example:
        >>> IndexOptions(batch_size=8, shard=JobShard.parse('0/4')).commit_every
        512
    """

    batch_size: int = 64
    workers: int = 2
    commit_every: int = 512
    prune: bool = False
    prune_most: bool = False
    progress: bool = True
    exclude: Sequence[str] = ()
    shard: JobShard | tuple[int, int] = JobShard(0, 1)
    log: str | os.PathLike | None = None
    images: str | os.PathLike | None = None
    rehash: bool = False
    only: Collection[Path] | None = None

    def __post_init__(self) -> None:
        if self.prune and self.only is not None:
            raise BadValue('prune looks for all files; leave only out')
        if isinstance(self.exclude, str):
            raise BadValue(f'exclude is a list of patterns, got the text {self.exclude!r}')
        for name in ('batch_size', 'workers', 'commit_every'):
            if (value := getattr(self, name)) < 1:
                raise BadValue(f'{name} must be at least 1, got {value}')


@dataclass(frozen=True)
class DetectionOptions:
    """Detection of the people in photographs and videos, before they are indexed.

    Args:
        detector: Finds the people in a photograph.
        tracker: Makes one entry of a track, see `mmtbps.search.media.people.people_in`.
        every: Seconds between the frames of a video that are looked at; by default the tracker's,
            or one.

    Raises:
        BadValue: ``every`` is negative.
    """

    detector: Detector
    tracker: Tracker | None = None
    every: float | None = None

    def __post_init__(self) -> None:
        if self.every is not None and not self.every >= 0:
            raise BadValue(f'every must be at least 0 seconds between frames, got {self.every}')

    @property
    def interval(self) -> float:
        """Seconds between the frames that are looked at."""
        if self.every is not None:
            return self.every
        return SECONDS_BETWEEN_FRAMES if self.tracker is None else self.tracker.every

    @property
    def settings(self) -> dict[str, Any]:
        """Facts that decide who is found, in JSON types, as the gallery notes them.

        A detector of one's own is known by the name of its class, and by its ``address``,
        ``weights_hash``, ``threshold`` and ``min_height`` if it has them.
        """
        kind = type(self.detector)
        own = dict(detector=getattr(self.detector, 'address', f'{kind.__module__}.{kind.__name__}'),
                   weights=getattr(self.detector, 'weights_hash', None))
        return own | dict(threshold=getattr(self.detector, 'threshold', None),
                          min_height=getattr(self.detector, 'min_height', None),
                          every=self.interval, track=self.tracker is not None)
