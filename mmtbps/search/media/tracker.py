"""One number for one person through the frames of a video."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from .detector import Detection

__all__ = ['PersonTracker', 'Tracker']


class Tracker(Protocol):
    """Numbers people through the frames of a video; `PersonTracker`, or one of your own.

    Attributes:
        every: Seconds between the frames it likes to see.
        open: Numbers of the tracks that may still go on.
    """

    every: float
    open: set[int]

    def start(self) -> None:
        """Forget everything: another video begins."""

    def update(self, people: Sequence[Detection], time: float) -> list[int | None]:
        """The number of each person of the next frame; ``None`` for one not followed (yet)."""


class PersonTracker:
    """ByteTrack of the package ``trackers``: motion and overlap, no appearance.

    A person is followed from the second frame in a row on: one seen only once is taken for a
    mistake of the detector.

    Args:
        every: Seconds between frames. Somebody who walks must overlap with himself: leave it at
            a fifth of a second or less, unless people stand.
        lost_after: A track ends when its person has not been seen for so many seconds.

    Raises:
        ImportError: Without ``trackers``.
        ValueError: If an argument is not above 0.
    """

    def __init__(self, every: float = .2, lost_after: float = 2.) -> None:
        if not every > 0 or not lost_after > 0:
            raise ValueError(f'every {every} and lost_after {lost_after} must be above 0')
        try:
            from trackers import ByteTrackTracker
        except ImportError as error:
            raise ImportError(
                'PersonTracker needs trackers: pip install "mmtbps[video]"') from error
        self.every = every
        # What counts as a person is the detector's threshold: the tracker has none of its own.
        self._tracker = ByteTrackTracker(
            frame_rate=1 / every, lost_track_buffer=round(30 * lost_after),
            minimum_consecutive_frames=2, track_activation_threshold=0.,
            high_conf_det_threshold=0.)

    @property
    def open(self) -> set[int]:
        """Numbers of the tracks that may still go on."""
        return set(self._tracker.tracked_objects.tracker_id.tolist())

    def start(self) -> None:
        """Forget everything: another video begins, and numbers begin at 0."""
        self._tracker.reset()

    def update(self, people: Sequence[Detection], time: float) -> list[int | None]:
        """The number of each person of the next frame; ``None`` for one not followed (yet).

        Args:
            people: All that were detected in the frame.
            time: Of the frame in seconds; later than that of the frame before.
        """
        from supervision import Detections
        found = Detections(
            xyxy=np.array([person.box for person in people], np.float32).reshape(-1, 4),
            confidence=np.array([person.score for person in people], np.float32),
            data=dict(place=np.arange(len(people))))  # it gives them back in another order
        numbers: list[int | None] = [None] * len(people)
        tracked = self._tracker.update(found, timestamp=time)
        if len(tracked):
            for place, number in zip(tracked.data['place'], tracked.tracker_id, strict=True):
                numbers[place] = int(number) if number >= 0 else None
        return numbers
