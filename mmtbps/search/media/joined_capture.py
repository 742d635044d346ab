"""Capture of a video whose parts the library does not read one behind the other."""

import os
from collections.abc import Sequence
from typing import Any

import cv2

__all__ = ['STAMP', 'JoinedCapture']

STAMP = getattr(cv2, 'CAP_PROP_PTS', -1)  # older versions tell none
_GIVE_UP = 249  # broken frames in a row, of a part that ends before its announced end
_FIRST = (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FPS)


class JoinedCapture:
    """Capture of the parts of one Matroska file, each as a video of its own; used as OpenCV's.

    FFmpeg reads two Matroska videos that were joined and nothing behind them.

    Args:
        path: Of the file.
        starts: Places of the bytes at which the parts begin; each ends where the next begins.

    Attributes:
        unread: Number of parts so far that cannot be opened.
    """

    def __init__(self, path: str | os.PathLike, starts: Sequence[int]) -> None:
        self._path = os.path.abspath(path)
        self._ranges = [*zip(starts, [*starts[1:], os.stat(path).st_size], strict=True)]
        self._options: dict[int, float] = {}
        self._part: cv2.VideoCapture | None = None
        self._passed = self._broken = self._before = self._announced = self.unread = 0
        self._open_next()
        self._of_first = {key: self._part.get(key) if self._part else 0. for key in _FIRST}

    def isOpened(self) -> bool:  # noqa: N802
        """Tell whether a part is open."""
        return self._part is not None

    def grab(self) -> bool:
        """Go to the next frame, which may be the first of the next part."""
        if self._part is None:
            return False
        good = self._part.grab()
        while not good and (self._passed >= self._announced or self._broken >= _GIVE_UP) and (
                self._open_next()):
            good = self._part.grab()
        if good and not self._passed:  # a length counts what lies before the first frame, too
            self._announced = max(self._announced - max(self._part.get(STAMP), 0), 0)
        self._passed, self._broken = self._passed + 1, 0 if good else self._broken + 1
        return good

    def retrieve(self) -> tuple[bool, Any]:
        """Decode the frame, in the size of the first part."""
        good, pixels = self._part.retrieve()
        size = tuple(int(self._of_first[key]) for key in _FIRST[:2])
        if good and pixels.shape[1::-1] != size:
            pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_CUBIC)
        return good, pixels

    def get(self, key: int) -> float:
        """Return a property: frames of the parts so far, size and rate of the first one."""
        if key == cv2.CAP_PROP_FRAME_COUNT:
            return self._before + self._announced
        return self._of_first[key] if key in _FIRST else self._part.get(key)

    def set(self, key: int, value: float) -> bool:
        """Set a property of this part and those behind it."""
        self._options[key] = value
        return self._part is not None and self._part.set(key, value)

    def release(self) -> None:
        """Close the part that is open."""
        if self._part is not None:
            self._part.release()

    def _open_next(self) -> bool:
        """Open the next part that can be opened, and close this one."""
        while self._ranges:
            start, end = self._ranges.pop(0)
            # FFmpeg's protocol for a part of a file; the path is what follows the last sign.
            part = cv2.VideoCapture(f'subfile,,start,{start},end,{end},,:{self._path}',
                                    cv2.CAP_FFMPEG)
            if part.isOpened():
                self.release()
                for key, value in self._options.items():
                    part.set(key, value)
                self._part, self._before = part, self._before + self._announced
                self._announced = part.get(cv2.CAP_PROP_FRAME_COUNT)
                self._passed = self._broken = 0
                return True
            self.unread += 1
        return False
