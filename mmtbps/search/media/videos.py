"""Frames of videos with their number and time, and images in the same form."""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from mmtbps.errors import BadValue, MissingFile, MissingPackage
from mmtbps.fileio import IMAGE_SUFFIXES

from .images import MAX_PIXELS, UnreadableImage, find_files, read_image

try:
    import cv2
    from mmengine.logging import print_log
except ImportError as error:
    raise MissingPackage(f'videos need {error.name}: pip install torch && pip install '
                         '"mmtbps[mm]"') from error

__all__ = ['VIDEO_SUFFIXES', 'UnreadableVideo', 'VideoFrame', 'frames_of', 'is_path', 'is_video',
           'read_frame']

#: Endings of video files, in lower case. No playlists: those would let a file name others, here or
#: on the network.
VIDEO_SUFFIXES = ('.avi', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.webm', '.wmv')
_GIVE_UP = 250     # broken frames in a row: nothing follows
_EARLY = 1.        # seconds; the length of a video is known less exactly than its frames
_SLACK = 1e-6      # seconds; times are rounded

AnyPath = str | os.PathLike


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
    path: Path
    number: int | None = None
    time: float | None = None


def is_path(source: object) -> bool:
    """Tell whether a source is the path of one file or folder, and not several."""
    return isinstance(source, (str, os.PathLike))


def is_video(path: AnyPath) -> bool:
    """Tell a video file by the ending of its name, in any case."""
    return os.fspath(path).lower().endswith(VIDEO_SUFFIXES)


def frames_of(source: AnyPath | Sequence[AnyPath], every: float = 1.,
              on_unreadable: Callable[[UnreadableImage], None] | None = None
              ) -> Iterator[VideoFrame]:
    """Read images and the frames of videos, in order.

    Args:
        source: An image, a video, a folder of both, or a sequence of files.
        every: At least so many seconds lie between two frames of a video; 0 for every frame.
        on_unreadable: Called with the error of each file that is refused or cannot be read, which
            is then left out. By default the error is raised.

    Raises:
        MissingFile: There is no ``source``, which is one path.
        UnreadableImage: A file cannot be read, or is gone from a sequence, and there is no
            ``on_unreadable``.
        BadValue: ``every`` is negative.
    """
    if not every >= 0:
        raise BadValue(f'every must be at least 0 seconds between frames, got {every}')
    for path, refusal in _files(source):
        try:
            if refusal is not None:
                raise UnreadableImage(path, refusal)
            if is_video(path):
                yield from _frames(path, every)
            else:
                yield VideoFrame(read_image(path), path)
        except UnreadableImage as error:
            if on_unreadable is None:
                raise
            on_unreadable(error)


def _files(source: AnyPath | Sequence[AnyPath]) -> Iterator[tuple[Path, str | None]]:
    """Yield the files of a source, each with the reason if it is refused."""
    suffixes = (*IMAGE_SUFFIXES, *VIDEO_SUFFIXES)
    if not is_path(source):
        for path in source:
            if os.path.exists(path):
                yield from _files(path)
            else:  # it was there when the sequence was made
                yield Path(path), 'no such file'
    elif os.path.isdir(source):
        yield from find_files(source, suffixes)
    elif not os.path.exists(source):
        raise MissingFile(f'{source}: no such image, video or folder')
    else:
        known = os.fspath(source).lower().endswith(suffixes)
        yield Path(source), None if known else f'neither image nor video: {", ".join(suffixes)}'


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
        capture.set(cv2.CAP_PROP_POS_FRAMES, max(number - capture.get(cv2.CAP_PROP_FPS), 0))
        if not capture.grab() or _number(capture) >= number:
            capture.release()  # it stops at a broken frame, too; walk there from the start
            capture = _open(path)
        if not any(found >= number for found in _grab(capture, path)) or _number(capture) > number:
            raise UnreadableVideo(path, f'frame {number} is missing or broken')
        return _picture(capture, path)
    finally:
        capture.release()


def _frames(path: Path, every: float) -> Iterator[VideoFrame]:
    capture, due = _open(path), 0.
    try:
        for number in _grab(capture, path):
            time = _time(capture)
            if time >= due - _SLACK:
                due = time + every
                yield VideoFrame(_picture(capture, path), path, number, round(time, 3))
    finally:
        capture.release()


def _open(path: AnyPath) -> cv2.VideoCapture:
    if not os.path.isfile(path):  # OpenCV would take a camera, a URL or a pattern for it
        raise UnreadableVideo(path, 'no such file')
    capture = cv2.VideoCapture(os.path.abspath(path))
    pixels = capture.get(cv2.CAP_PROP_FRAME_WIDTH) * capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
    if not capture.isOpened() or not capture.get(cv2.CAP_PROP_FPS) > 0:
        raise UnreadableVideo(path, 'no video that OpenCV can read, or cut off')
    if pixels > MAX_PIXELS:
        raise UnreadableVideo(path, f'frames of more than {MAX_PIXELS / 1e6:g} million pixels')
    return capture


def _grab(capture: cv2.VideoCapture, path: AnyPath) -> Iterator[int]:
    """Go from frame to frame, without decoding more than needed, and yield their rising numbers."""
    announced = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    last, passed, broken, in_a_row = -1, 0, 0, 0
    while in_a_row < _GIVE_UP:
        if capture.grab():
            broken, in_a_row = broken + in_a_row, 0
            if (number := _number(capture)) > last:
                yield (last := number)
        elif passed >= announced:
            break
        else:
            in_a_row += 1
        passed += 1
    if last < 0:
        raise UnreadableVideo(path, 'no frame can be read')
    early = (announced - 1 - last) / capture.get(cv2.CAP_PROP_FPS)
    if broken or early > _EARLY:
        print_log(f'{path}: {broken} broken frames left out, ends {max(early, 0):.1f} s too early',
                  'current', logging.WARNING)


def _number(capture: cv2.VideoCapture) -> int:
    return round(_time(capture) * capture.get(cv2.CAP_PROP_FPS))


def _time(capture: cv2.VideoCapture) -> float:
    """Compute the seconds since the start of the video, also where a container notes none."""
    seconds = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
    number = capture.get(cv2.CAP_PROP_POS_FRAMES) - 1
    return seconds if seconds > 0 else number / capture.get(cv2.CAP_PROP_FPS)


def _picture(capture: cv2.VideoCapture, path: AnyPath) -> Image.Image:
    good, pixels = capture.retrieve()
    if not good:
        raise UnreadableVideo(path, 'a frame cannot be decoded')
    return Image.fromarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))
