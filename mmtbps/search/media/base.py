"""Interfaces of a person detector and of a tracker, for code that knows no implementation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from PIL import Image

__all__ = ['SECONDS_BETWEEN_FRAMES', 'VIDEO_SUFFIXES', 'Box', 'Detection', 'Detector', 'Tracker']

#: (left, top, right, bottom) in pixels.
Box = tuple[int, int, int, int]
#: Endings of video files, in lower case. No playlists: those would let a file name others, here or
#: on the network.
VIDEO_SUFFIXES = ('.avi', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.webm', '.wmv')
#: Of a video, that are looked at without a tracker.
SECONDS_BETWEEN_FRAMES = 1.


@dataclass(frozen=True, slots=True)
class Detection:
    """One person in one image.

    Args:
        box: (left, top, right, bottom) in pixels, inside the image.
        score: Confidence of the detector, 0 to 1.
    """

    box: Box
    score: float


@runtime_checkable
class Detector(Protocol):
    """Person detector; `mmtbps.search.media.detector.PersonDetector`, or one of your own.

    Attributes:
        batch_size: Number of images it takes at once.
    """

    batch_size: int

    def __call__(self, images: Sequence[Image.Image]) -> list[list[Detection]]:
        """Detect the people of each RGB image, those with the highest score first."""


@runtime_checkable
class Tracker(Protocol):
    """Tracker of people through the frames of one video at a time.

    `mmtbps.search.media.tracker.PersonTracker`, or one of your own.

    Attributes:
        every: Seconds between the frames it should be given.
    """

    every: float

    @property
    def open(self) -> set[int]:
        """Numbers of the tracks that may still go on."""

    def start(self) -> None:
        """Forget all tracks: another video begins."""

    def update(self, people: Sequence[Detection], time: float) -> list[int | None]:
        """Assign a track number to each person of the next frame.

        Args:
            people: All that were detected in the frame.
            time: Of the frame in seconds; later than that of the frame before.

        Returns:
            A number for each person, ``None`` for one that is not followed (yet).
        """
