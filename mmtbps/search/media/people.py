"""People in images and videos as gallery entries: one a detection, or one a track.

All of it is a stream: a few frames are held at a time, and one crop of each open track.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from mmtbps.errors import BadValue
from mmtbps.fileio import AnyPath, RemotePath, as_path

from ..galleries.base import GalleryEntry
from .base import SECONDS_BETWEEN_FRAMES, Detection, Detector, Tracker
from .crops import crop
from .images import UnreadableImage
from .videos import VideoFrame, frames_of, is_path, is_video

__all__ = ['DetectedPerson', 'people_in', 'people_of']


class DetectedPerson(NamedTuple):
    """A gallery entry, yet without size, hash and metadata of its file, and its crop."""

    entry: GalleryEntry
    crop: Image.Image


def people_in(source: str | os.PathLike | Sequence[str | os.PathLike], detector: Detector,
              tracker: Tracker | None = None, every: float | None = None,
              root: str | os.PathLike | None = None,
              on_unreadable: Callable[[UnreadableImage], None] | None = None,
              on_note: Callable[[AnyPath, str], None] | None = None) -> Iterator[DetectedPerson]:
    """Detect the people in images and videos, as a stream.

    Args:
        source: An image, a video, a folder of both, or a sequence of files.
        detector: Finds the people of a frame, see `mmtbps.search.media.detector.PersonDetector`.
        tracker: Makes one entry of each track of a video, see
            `mmtbps.search.media.tracker.PersonTracker`. Images are not affected.
        every: Seconds between the frames of a video that are looked at, 0 for every frame; by
            default 1, or the tracker's ``every``.
        root: Folder that the paths of entries are relative to; by default ``source`` or the
            folder that it is in.
        on_unreadable: Called with the error of each file that is refused or cannot be read, which
            is then left out. By default the error is raised.
        on_note: As of `frames_of`.

    Yields:
        Without a tracker one entry a detection, at once; with it one a track, when the track
        ends: of its crops the one whose area times score is largest. The same files and settings
        give the same ids again.

    Raises:
        MissingFile: There is no ``source``.
        UnreadableImage: A file cannot be read and there is no ``on_unreadable``.
        BadValue: A file lies outside ``root``.
    """
    if every is None:
        every = SECONDS_BETWEEN_FRAMES if tracker is None else tracker.every
    return people_of(frames_of(source, every, on_unreadable, on_note), detector, tracker,
                     _folder_of(source) if root is None else root)


def people_of(frames: Iterable[VideoFrame], detector: Detector, tracker: Tracker | None = None,
              root: str | os.PathLike = '.') -> Iterator[DetectedPerson]:
    """Detect the people in frames of your own, as `people_in` does in files.

    Args:
        frames: Those of one video follow each other.
        detector: As in `people_in`.
        tracker: As in `people_in`.
        root: Folder that the paths of entries are relative to.

    Yields:
        As `people_in`.
    """
    root = as_path(root).resolve()
    for path, seen in groupby(_detect(iter(frames), detector), key=lambda pair: pair[0].path):
        if tracker is not None and is_video(path):
            yield from _one_a_track(seen, tracker, root)
        else:
            for frame, people in seen:
                for person in people:
                    yield _detected(frame, person, root)


def _folder_of(source: str | os.PathLike | Sequence[str | os.PathLike]) -> AnyPath:
    paths = [(path if isinstance(path, RemotePath) else Path(path)).absolute()
             for path in ([source] if is_path(source) else source)]
    folders = [path if path.is_dir() else path.parent for path in paths]
    if any(isinstance(folder, RemotePath) for folder in folders):
        first = folders[0]
        return next((above for above in (first, *first.parents)
                     if all(folder.is_relative_to(above) for folder in folders)), first)
    return Path(os.path.commonpath(folders)) if folders else Path()


def _detect(frames: Iterator[VideoFrame],
            detector: Detector) -> Iterator[tuple[VideoFrame, list[Detection]]]:
    while batch := list(islice(frames, detector.batch_size)):
        yield from zip(batch, detector([frame.image for frame in batch]), strict=True)


def _detected(frame: VideoFrame, person: Detection, root: AnyPath,
              track: str | None = None) -> DetectedPerson:
    path = _name(frame.path, root)
    place = [path, frame.number, *person.box] if track is None else [track]
    extra = dict(detection_score=f'{person.score:.3f}')
    if frame.time is not None:
        extra['video_time'] = f'{frame.time:.3f}'
    entry = GalleryEntry(
        id=hashlib.sha256(json.dumps(place).encode()).hexdigest()[:32], path=path, track=track,
        frame=frame.number, box=person.box, extra=extra)
    return DetectedPerson(entry, crop(frame.image, person.box))


def _name(path: AnyPath, root: AnyPath) -> str:
    full = path.parent.resolve() / path.name
    if not full.is_relative_to(root):
        raise BadValue(f'{path} lies outside {root}, the folder of the images')
    return full.relative_to(root).as_posix()


# ------------------------------------------------------------------ tracks
@dataclass(slots=True)
class _Track:
    """Best view of one person so far, with the times of the first and the last view."""

    best: DetectedPerson
    quality: float
    first: float
    last: float

    def end(self) -> DetectedPerson:
        entry = self.best.entry
        times = dict(first_seen=f'{self.first:.2f}', last_seen=f'{self.last:.2f}')
        return DetectedPerson(replace(entry, extra={**entry.extra, **times}), self.best.crop)


def _one_a_track(seen: Iterable[tuple[VideoFrame, list[Detection]]], tracker: Tracker,
                 root: AnyPath) -> Iterator[DetectedPerson]:
    """Yield the best view of each track of one video, when the track ends."""
    tracks: dict[int, _Track] = {}
    tracker.start()
    for frame, people in seen:
        for person, number in zip(people, tracker.update(people, frame.time), strict=True):
            if number is not None:
                _extend(tracks, number, frame, person, root)
        yield from _end(tracks, tracker.open)
    yield from _end(tracks, set())


def _extend(tracks: dict[int, _Track], number: int, frame: VideoFrame, person: Detection,
            root: AnyPath) -> None:
    left, top, right, bottom = person.box
    quality = person.score * (right - left) * (bottom - top)
    known = tracks.get(number)
    if known is None or quality > known.quality:
        view = _detected(frame, person, root, f'{_name(frame.path, root)}#{number}')
        tracks[number] = _Track(view, quality, known.first if known else frame.time, frame.time)
    else:
        known.last = frame.time


def _end(tracks: dict[int, _Track], still_open: set[int]) -> Iterator[DetectedPerson]:
    for number in sorted(tracks.keys() - still_open):
        yield tracks.pop(number).end()
