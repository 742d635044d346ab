"""Frames of videos with their number and time, and images in the same form."""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from PIL import Image

from mmtbps.errors import BadValue, MissingFile, MissingPackage
from mmtbps.fileio import IMAGE_SUFFIXES, RemotePath, local_copy
from mmtbps.fileio.packed_addresses import member_address

from .base import VIDEO_SUFFIXES
from .images import MAX_PIXELS, UnreadableImage, find_files, read_image
from .joined_videos import find_parts

try:
    import cv2
    from mmengine.logging import print_log

    from .joined_capture import STAMP, JoinedCapture
except ImportError as error:
    raise MissingPackage(f'videos need {error.name}: pip install torch && pip install '
                         '"mmtbps[mm]"') from error

__all__ = ['VIDEO_SUFFIXES', 'UnreadableVideo', 'VideoFrame', 'frames_of', 'is_path', 'is_video',
           'read_frame']

_GIVE_UP = 250     # broken frames in a row: nothing follows
_EARLY = 1.        # seconds; the length of a video is known less exactly than its frames
_SLACK = 1e-6      # seconds; times are rounded
_STEP_BACK = .5    # seconds; where a time stamp lies so far back, another part begins
_READ_JOINED = 2   # parts of a Matroska file that FFmpeg reads; of more it tells nothing

AnyPath = str | os.PathLike
FilePath = Path | RemotePath


class UnreadableVideo(UnreadableImage):
    """A video that gives no frame."""


@dataclass(frozen=True, slots=True)
class VideoFrame:
    """A frame of a video, or an image in its place.

    Args:
        image: RGB.
        path: Of the image or the video.
        number: In the video, from 0. Broken frames count; where the rate varies, it is the time
            in units of the mean rate, and of frames of one number there is only the first.
            ``None`` for an image.
        time: Seconds since the start of the video; ``None`` for an image.
    """

    image: Image.Image
    path: FilePath
    number: int | None = None
    time: float | None = None


def is_path(source: object) -> bool:
    """Tell whether a source is the path of one file or folder, and not several."""
    return isinstance(source, (str, os.PathLike))


def is_video(path: AnyPath) -> bool:
    """Tell a video file by the ending of its name, in any case."""
    return os.fspath(path).lower().endswith(VIDEO_SUFFIXES)


def frames_of(source: AnyPath | Sequence[AnyPath], every: float = 1.,
              on_unreadable: Callable[[UnreadableImage], None] | None = None,
              on_note: Callable[[FilePath, str], None] | None = None) -> Iterator[VideoFrame]:
    """Read images and the frames of videos, in order.

    Args:
        source: An image, a video, a folder of both, or a sequence of files. A text is a path of
            this machine; a place in an object store is a `RemotePath`.
        every: At least so many seconds lie between two frames of a video; 0 for every frame.
        on_unreadable: Called with the error of each file that is refused or cannot be read, which
            is then left out. By default the error is raised.
        on_note: Called with the path of each file that is read although something is odd about
            it, and with that: frames left out by reason, a time that begins again. By default it
            is logged.

    Raises:
        MissingFile: There is no ``source``, which is one path.
        UnreadableImage: A file cannot be read, or is gone from a sequence, and there is no
            ``on_unreadable``.
        BadValue: ``every`` is negative.
    """
    if not every >= 0:
        raise BadValue(f'every must be at least 0 seconds between frames, got {every}')
    on_note = on_note or _log_note
    for path, refusal in _files(source):
        try:
            if refusal is not None:
                raise UnreadableImage(path, refusal)
            if is_video(path):
                yield from _frames_of_copy(path, every, on_note)
            else:
                yield VideoFrame(read_image(path, on_note=partial(on_note, path)), path)
        except UnreadableImage as error:
            if on_unreadable is None:
                raise
            on_unreadable(error)


def _log_note(path: FilePath, note: str) -> None:
    print_log(f'{path}: {note}', 'current', logging.WARNING)


def _files(source: AnyPath | Sequence[AnyPath]) -> Iterator[tuple[FilePath, str | None]]:
    """Yield the files of a source, each with the reason if it is refused."""
    suffixes = (*IMAGE_SUFFIXES, *VIDEO_SUFFIXES)
    if not is_path(source):
        for path in map(_as_file, source):
            if member_address(path).exists():
                yield from _files(path)
            else:  # it was there when the sequence was made
                yield path, 'no such file'
        return
    path = _as_file(source)
    if path.is_dir():
        yield from find_files(path, suffixes)
    elif not member_address(path).exists():
        raise MissingFile(f'{path}: no such image, video or folder')
    else:
        known = str(path).lower().endswith(suffixes)
        yield path, None if known else f'neither image nor video: {", ".join(suffixes)}'


def _as_file(source: AnyPath) -> FilePath:
    """Take a text for a path of this machine: an address in a stranger's list is not followed."""
    return source if isinstance(source, RemotePath) else Path(source)


# ------------------------------------------------------------------ videos
def read_frame(path: AnyPath, number: int) -> Image.Image:
    """Read one frame of a video.

    Args:
        path: A video.
        number: Of the frame, as `frames_of` numbers them.

    Raises:
        UnreadableVideo: The video or this frame of it cannot be read.
    """
    capture = _open(path)
    try:
        # A second earlier: seeking is not exact, neither where the rate varies nor in old files.
        start = max(number - capture.get(cv2.CAP_PROP_FPS), 0)
        if find_parts(path).count == 1 and capture.set(cv2.CAP_PROP_POS_FRAMES, start) and (
                not capture.grab() or round(_Clock(capture).read() * capture.get(
                    cv2.CAP_PROP_FPS)) >= number):
            capture.release()  # it stops at a broken frame, too; walk there from the start
            capture = _open(path)
        walk = _Walk(capture, path)
        found = next((found for found, _ in walk if found >= number), None)
        if found != number:
            raise UnreadableVideo(path, f'frame {number} is missing or broken')
        return _picture(capture, path)
    finally:
        capture.release()


def _frames_of_copy(path: FilePath, every: float,
                    on_note: Callable[[FilePath, str], None]) -> Iterator[VideoFrame]:
    """Yield the frames of a video, which OpenCV reads of this machine alone."""
    with local_copy(path) as copy:
        try:
            for frame in _frames(copy, every, lambda _, note: on_note(path, note)):
                yield replace(frame, path=path)
        except UnreadableVideo as error:
            raise UnreadableVideo(path, error.reason) from error


def _frames(path: Path, every: float, on_note: Callable[[Path, str], None]) -> Iterator[VideoFrame]:
    capture, due = _open(path), 0.
    try:
        walk = _Walk(capture, path)
        for number, time in walk:
            if time >= due - _SLACK:
                due = time + every
                yield VideoFrame(_picture(capture, path), path, number, round(time, 3))
        if note := walk.note():
            on_note(path, note)
    finally:
        capture.release()


def _open(path: AnyPath) -> cv2.VideoCapture | JoinedCapture:
    if not os.path.isfile(path):  # OpenCV would take a camera, a URL or a pattern for it
        raise UnreadableVideo(path, 'no such file')
    starts = find_parts(path).starts
    capture = JoinedCapture(path, starts) if len(starts) > _READ_JOINED else None
    if capture is None or not capture.isOpened():  # an FFmpeg without the protocol for parts
        capture = cv2.VideoCapture(os.path.abspath(path))
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)  # its default differs between versions
    pixels = capture.get(cv2.CAP_PROP_FRAME_WIDTH) * capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
    if not capture.isOpened() or not capture.get(cv2.CAP_PROP_FPS) > 0:
        raise UnreadableVideo(path, 'no video that OpenCV can read, or cut off')
    if pixels > MAX_PIXELS:
        raise UnreadableVideo(path, f'frames of more than {MAX_PIXELS / 1e6:g} million pixels')
    return capture


class _Clock:
    """Seconds since the start of a video, also where its time stamps are missing or begin again.

    Args:
        capture: The video, at its start or after a seek.
    """

    def __init__(self, capture: cv2.VideoCapture | JoinedCapture) -> None:
        self.begins = 0
        self._capture, self._step = capture, 1 / capture.get(cv2.CAP_PROP_FPS)
        self._last, self._before = None, 0.

    def read(self) -> float:
        """Return the time of the present frame; small steps back are given as they are."""
        stamp = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        if self._last is None:
            number = self._capture.get(cv2.CAP_PROP_POS_FRAMES) - 1
            time = stamp if stamp > 0 else number * self._step
        elif stamp <= 0:
            time = self._last + self._step
        else:
            time = stamp + self._before
            if time < self._last - _STEP_BACK:
                self.begins += 1
                time = self._last + self._step
                self._before = time - stamp
        self._last = time if self._last is None else max(time, self._last)
        return time


class _Walk:
    """Walk from frame to frame, without decoding more than needed.

    Iterating gives rising numbers and times. What is left out on the way is counted by reason.

    Args:
        capture: An open video.
        path: Of it.
    """

    def __init__(self, capture: cv2.VideoCapture | JoinedCapture, path: AnyPath) -> None:
        self._capture, self._path, self._clock = capture, path, _Clock(capture)
        self._rate = capture.get(cv2.CAP_PROP_FPS)
        self._broken = self._back = 0
        self._last, self._time = -1, 0.
        self._begin = self._end = None

    @property
    def _announced(self) -> float:
        return self._capture.get(cv2.CAP_PROP_FRAME_COUNT)

    def __iter__(self) -> Iterator[tuple[int, float]]:
        passed = in_a_row = 0
        while in_a_row < _GIVE_UP:
            if self._capture.grab():
                self._broken, in_a_row = self._broken + in_a_row, 0
                if (frame := self._next()) is not None:
                    yield frame
            elif passed >= self._announced:
                break
            else:
                in_a_row += 1
            passed += 1
        if self._last < 0:
            raise UnreadableVideo(self._path, 'no frame can be read')

    def _next(self) -> tuple[int, float] | None:
        time = self._clock.read()
        self._end = self._capture.get(STAMP), time
        self._begin = self._begin or self._end
        number = round(time * self._rate)
        if number > self._last:
            self._last, self._time = number, time
            return number, time
        self._back += time < self._time - _SLACK
        return None

    def note(self) -> str:
        """Word what is odd about a video that was walked through; empty if nothing is."""
        early = (self._announced - 1 - self._last) / self._rate - self._late()
        notes, parts = [], find_parts(self._path)
        if self._broken or early > _EARLY:
            notes.append(f'{self._broken} broken frames left out, ends {max(early, 0):.1f} s too '
                         'early')
        if self._back:
            notes.append(f'{self._back} frames left out whose time had passed')
        if self._clock.begins:
            notes.append(f'its time begins again {self._clock.begins} x and is counted on')
        lost = max(len(parts.starts) - _READ_JOINED, 0)
        if unread := parts.behind + getattr(self._capture, 'unread', lost):
            notes.append(f'{unread} further videos were joined to it and are not read')
        if len(sizes := parts.sizes) > 1:
            notes.append(f'its picture size changes ({", ".join(f"{w} x {h}" for w, h in sizes)}) '
                         'and all of it is read in the first')
        return '; '.join(notes)

    def _late(self) -> float:
        """Compute the seconds before the first frame that a Matroska file counts as its length."""
        if not find_parts(self._path).starts or self._clock.begins:
            return 0.
        (first, begin), (last, end) = self._begin, self._end
        return max(first * (end - begin) / (last - first), 0.) if last > first else 0.


def _picture(capture: cv2.VideoCapture | JoinedCapture, path: AnyPath) -> Image.Image:
    good, pixels = capture.retrieve()
    if not good:
        raise UnreadableVideo(path, 'a frame cannot be decoded')
    return Image.fromarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))
