"""Frames of a camera's stream as they come; those for which there is no time are left out."""

import threading
import time
from collections.abc import Iterator
from typing import NamedTuple

from PIL import Image

from mmtbps.errors import BadValue, MissingPackage

from .images import MAX_PIXELS

try:
    import cv2
except ImportError as error:
    raise MissingPackage(f'streams need {error.name}: pip install torch && pip install '
                         '"mmtbps[mm]"') from error

__all__ = ['LiveFrame', 'StreamLost', 'live_frames']

_PATIENCE = 10_000  # milliseconds to open a stream, and for a frame of it
_TICK = .2


class StreamLost(OSError):
    """A stream that cannot be opened, or gives no frames any more."""


class LiveFrame(NamedTuple):
    """A frame of a stream.

    Args:
        image: RGB.
        time: Seconds since 1970, by the clock of this machine, at which it came.
    """

    image: Image.Image
    time: float


class _Newest:
    """Place of the newest frame, which a thread fills and another empties."""

    def __init__(self) -> None:
        self.condition = threading.Condition()
        self.frame: tuple | None = None
        self.ended = False

    def put(self, frame: tuple) -> None:
        with self.condition:
            self.frame = frame
            self.condition.notify()

    def end(self) -> None:
        with self.condition:
            self.ended = True
            self.condition.notify()

    def take(self, stop: threading.Event) -> tuple | None:
        """Take the frame; None where none will come."""
        with self.condition:
            while self.frame is None and not self.ended and not stop.is_set():
                self.condition.wait(_TICK)
            frame, self.frame = self.frame, None
            return None if stop.is_set() else frame


def live_frames(address: str, every: float, stop: threading.Event) -> Iterator[LiveFrame]:
    """Read a stream, in a thread, so that a slow taker gets the newest frame and not an old one.

    Args:
        address: Such as ``rtsp://host/path``; it is in no message, since it may hold a password.
        every: At least so many seconds lie between two frames.
        stop: Ends it when set.

    Yields:
        Frames with rising times, until it is stopped or the stream ends.

    Raises:
        StreamLost: It cannot be opened.
        BadValue: Its frames are too large, or ``every`` is negative.
    """
    if not every >= 0:
        raise BadValue(f'every must be at least 0 seconds between frames, got {every}')
    # One library alone: others take the address for a file's name and print it.
    capture = cv2.VideoCapture(address, cv2.CAP_FFMPEG, [
        cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _PATIENCE, cv2.CAP_PROP_READ_TIMEOUT_MSEC, _PATIENCE])
    newest = _Newest()
    reader = threading.Thread(target=_read, args=(capture, newest, every, stop), daemon=True)
    try:
        if not capture.isOpened():
            raise StreamLost('the stream cannot be opened')
        if capture.get(cv2.CAP_PROP_FRAME_WIDTH) * capture.get(
                cv2.CAP_PROP_FRAME_HEIGHT) > MAX_PIXELS:
            raise BadValue(f'a stream of frames of more than {MAX_PIXELS / 1e6:g} million pixels')
        reader.start()
        while (frame := newest.take(stop)) is not None:
            pixels, moment = frame
            yield LiveFrame(Image.fromarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)), moment)
    finally:
        newest.end()
        if reader.ident is not None:
            reader.join(_PATIENCE / 1000 + 1)
        if not reader.is_alive():  # to release what it reads would end the process
            capture.release()


def _read(capture: cv2.VideoCapture, newest: _Newest, every: float,
          stop: threading.Event) -> None:
    due = 0.
    while not stop.is_set() and not newest.ended and capture.grab():
        now = time.time()
        if now >= due:
            good, pixels = capture.retrieve()
            if good:
                due = now + every
                newest.put((pixels, now))
    newest.end()
