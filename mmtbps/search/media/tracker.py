"""Tracker of people through the frames of a video, by motion and overlap."""

from collections.abc import Sequence

import numpy as np

from mmtbps.errors import BadValue, MissingPackage

from .base import Detection, Tracker

__all__ = ['PersonTracker', 'Tracker']


class PersonTracker(Tracker):
    """ByteTrack of the package ``trackers``: motion and overlap, no appearance.

    A person is followed from the second frame in a row on: one in a single frame is taken for a
    mistake of the detector.

    Args:
        every: Seconds between frames. The boxes of somebody who walks must overlap from frame to
            frame: leave it at a fifth of a second or less, unless people stand.
        lost_after: A track ends when its person has not been seen for so many seconds.

    Raises:
        MissingPackage: ``trackers`` is not installed; the message names the extra.
        BadValue: An argument is not above 0.
    """

    def __init__(self, every: float = .2, lost_after: float = 2.) -> None:
        if not every > 0 or not lost_after > 0:
            raise BadValue(f'every and lost_after must be above 0 seconds, got {every} and '
                           f'{lost_after}')
        try:
            from trackers import ByteTrackTracker
        except ImportError as error:
            raise MissingPackage(
                'PersonTracker needs trackers: pip install "mmtbps[video]"') from error
        self.every = every
        # The detector's threshold decides who counts as a person; the tracker has none.
        self._tracker = ByteTrackTracker(
            frame_rate=1 / every, lost_track_buffer=round(30 * lost_after),
            minimum_consecutive_frames=2, track_activation_threshold=0.,
            high_conf_det_threshold=0.)

    @property
    def open(self) -> set[int]:
        """Numbers of the tracks that may still go on."""
        return set(self._tracker.tracked_objects.tracker_id.tolist())

    def start(self) -> None:
        """Forget all tracks: another video begins, and numbers begin at 0."""
        self._tracker.reset()

    def update(self, people: Sequence[Detection], time: float) -> list[int | None]:
        """Assign a track number to each person of the next frame; see `Tracker.update`."""
        from supervision import Detections
        detections = Detections(
            xyxy=np.array([person.box for person in people], np.float32).reshape(-1, 4),
            confidence=np.array([person.score for person in people], np.float32),
            data=dict(place=np.arange(len(people))))  # it gives them back in another order
        numbers: list[int | None] = [None] * len(people)
        tracked = self._tracker.update(detections, timestamp=time)
        if len(tracked):
            for place, number in zip(tracked.data['place'], tracked.tracker_id, strict=True):
                numbers[place] = int(number) if number >= 0 else None
        return numbers
