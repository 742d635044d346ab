"""From frames to people: one entry a person seen, or one a track.

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

from ..galleries.base import GalleryEntry
from .detector import Detection, Detector
from .images import UnreadableImage, crop
from .tracker import Tracker
from .videos import Frame, frames_of, is_path, is_video

__all__ = ['DetectedPerson', 'people_in', 'people_of']

_EVERY = 1.  # seconds between frames, without a tracker


class DetectedPerson(NamedTuple):
    """An entry for the gallery, yet without size, hash and metadata of its file; and its crop."""

    entry: GalleryEntry
    crop: Image.Image


def people_in(source: str | os.PathLike | Sequence[str | os.PathLike], detector: Detector,
              tracker: Tracker | None = None, every: float | None = None,
              root: str | os.PathLike | None = None,
              on_unreadable: Callable[[UnreadableImage], None] | None = None
              ) -> Iterator[DetectedPerson]:
    """The people in images and videos.

    Args:
        source: An image, a video, a folder of both, or a sequence of files.
        detector: Finds the people of a frame, see `mmtbps.search.media.detector.PersonDetector`.
        tracker: Makes one entry of each track of a video, see
            `mmtbps.search.media.tracker.PersonTracker`. Images are not affected.
        every: Seconds between the frames of a video that are looked at; by default 1, or what
            the tracker likes. 0 for every frame.
        root: Folder that the paths of entries are relative to; by default ``source`` or the
            folder that it is in.
        on_unreadable: Told of each file that is refused or cannot be read, which is then left
            out. By default the error is raised.

    Yields:
        Without a tracker one entry a detection, at once; with it one a track, when the track
        ends: of its crops the one whose area times score is largest. The same files and settings
        give the same ids again.

    Raises:
        FileNotFoundError: If there is no ``source``.
        UnreadableImage: For the first unreadable file, if nobody is told of it.
        ValueError: If a file lies outside ``root``.
    """
    if every is None:
        every = _EVERY if tracker is None else tracker.every
    return people_of(frames_of(source, every, on_unreadable), detector, tracker,
                     _folder_of(source) if root is None else root)


def people_of(frames: Iterable[Frame], detector: Detector, tracker: Tracker | None = None,
              root: str | os.PathLike = '.') -> Iterator[DetectedPerson]:
    """`people_in` for frames of any origin; those of one video must follow each other."""
    root = Path(root).resolve()
    for path, seen in groupby(_detect(iter(frames), detector), key=lambda pair: pair[0].path):
        if tracker is not None and is_video(path):
            yield from _one_a_track(seen, tracker, root)
        else:
            for frame, people in seen:
                for person in people:
                    yield _detected(frame, person, root)


def _folder_of(source: str | os.PathLike | Sequence[str | os.PathLike]) -> Path:
    paths = [Path(path).absolute() for path in ([source] if is_path(source) else source)]
    folders = [path if path.is_dir() else path.parent for path in paths]
    return Path(os.path.commonpath(folders)) if folders else Path()


def _detect(frames: Iterator[Frame],
            detector: Detector) -> Iterator[tuple[Frame, list[Detection]]]:
    while batch := list(islice(frames, detector.batch_size)):
        yield from zip(batch, detector([frame.image for frame in batch]), strict=True)


def _detected(frame: Frame, person: Detection, root: Path,
              track: str | None = None) -> DetectedPerson:
    path = _name(frame.path, root)
    place = [path, frame.number, *person.box] if track is None else [track]
    entry = GalleryEntry(
        id=hashlib.sha256(json.dumps(place).encode()).hexdigest()[:32], path=path, time=frame.time,
        track=track, frame=frame.number, box=person.box,
        extra=dict(detection_score=f'{person.score:.3f}'))
    return DetectedPerson(entry, crop(frame.image, person.box))


def _name(path: Path, root: Path) -> str:
    full = path.parent.resolve() / path.name
    if not full.is_relative_to(root):
        raise ValueError(f'{path} lies outside {root}, the folder of the images')
    return full.relative_to(root).as_posix()


# ------------------------------------------------------------------ tracks
@dataclass(slots=True)
class _Track:
    """The best view of one person so far, and when the first and the last were."""

    best: DetectedPerson
    quality: float
    first: float
    last: float

    def end(self) -> DetectedPerson:
        entry = self.best.entry
        times = dict(first_seen=f'{self.first:.2f}', last_seen=f'{self.last:.2f}')
        return DetectedPerson(replace(entry, extra={**entry.extra, **times}), self.best.crop)


def _one_a_track(seen: Iterable[tuple[Frame, list[Detection]]], tracker: Tracker,
                 root: Path) -> Iterator[DetectedPerson]:
    """The best view of each track of one video, when the track ends."""
    tracks: dict[int, _Track] = {}
    tracker.start()
    for frame, people in seen:
        for person, number in zip(people, tracker.update(people, frame.time), strict=True):
            if number is not None:
                _see(tracks, number, frame, person, root)
        yield from _end(tracks, tracker.open)
    yield from _end(tracks, set())


def _see(tracks: dict[int, _Track], number: int, frame: Frame, person: Detection,
         root: Path) -> None:
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
