"""Capture of a video whose parts the library does not read one behind the other."""

import os
from collections.abc import Sequence
from typing import Any

import cv2

__all__ = ['JoinedCapture']

_GIVE_UP = 249  # broken frames in a row, of a part that ends before its announced end


class JoinedCapture:
    """Capture of the parts of one file, each as a video of its own; used as OpenCV's.

    FFmpeg reads two Matroska videos that were joined and nothing behind them.

    Args:
        path: Of the file.
        starts: Places of the bytes at which the parts begin; each ends where the next begins.

    Attributes:
        unread: Number of parts that cannot be opened.
    """

    def __init__(self, path: str | os.PathLike, starts: Sequence[int]) -> None:
        ends = [*starts[1:], os.stat(path).st_size]
        # Of the parts of a file FFmpeg has a protocol; the path is what follows the last sign.
        opened = [cv2.VideoCapture(f'subfile,,start,{start},end,{end},,:{os.path.abspath(path)}',
                                   cv2.CAP_FFMPEG) for start, end in zip(starts, ends, strict=True)]
        self._parts = [part for part in opened if part.isOpened()] or opened[:1]
        self.unread = len(opened) - len(self._parts)
        self._announced = [part.get(cv2.CAP_PROP_FRAME_COUNT) for part in self._parts]
        self._now = self._passed = self._broken = 0

    def isOpened(self) -> bool:  # noqa: N802
        """Tell whether the first part is open."""
        return self._parts[0].isOpened()

    def grab(self) -> bool:
        """Go to the next frame, which may be the first of the next part."""
        good = self._parts[self._now].grab()
        while not good and self._now + 1 < len(self._parts) and (
                self._passed >= self._announced[self._now] or self._broken >= _GIVE_UP):
            self._now, self._passed, self._broken = self._now + 1, 0, 0
            good = self._parts[self._now].grab()
        self._passed, self._broken = self._passed + 1, 0 if good else self._broken + 1
        return good

    def retrieve(self) -> tuple[bool, Any]:
        """Decode the frame, in the size of the first part."""
        good, pixels = self._parts[self._now].retrieve()
        size = int(self.get(cv2.CAP_PROP_FRAME_WIDTH)), int(self.get(cv2.CAP_PROP_FRAME_HEIGHT))
        if good and pixels.shape[1::-1] != size:
            pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_CUBIC)
        return good, pixels

    def get(self, key: int) -> float:
        """Return a property: place and time of this part, frames of all, else of the first."""
        if key == cv2.CAP_PROP_FRAME_COUNT:
            return sum(self._announced)
        here = key in (cv2.CAP_PROP_POS_MSEC, cv2.CAP_PROP_POS_FRAMES)
        return self._parts[self._now if here else 0].get(key)

    def set(self, key: int, value: float) -> bool:
        """Set a property of every part."""
        return all([part.set(key, value) for part in self._parts])

    def release(self) -> None:
        """Close all parts."""
        for part in self._parts:
            part.release()
