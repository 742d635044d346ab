"""Stream of a camera as a source: one picture a track, kept below the folder of the images."""

import hashlib
import io
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from PIL import Image

from mmtbps.errors import BadValue
from mmtbps.fileio import refuse_store, write_durably

from ..encoders.base import Encoder
from ..galleries.base import BaseGallery, GalleryEntry
from ..galleries.provenance import write_provenance
from ..indexing import entry_id
from ..media.base import Detection, Detector, Tracker
from ..media.images import UnreadableImage, read_image
from .outbox import Outbox
from .receivers import split_address
from .sources import Notify, Source

__all__ = ['STREAM_PASSWORD', 'STREAM_SCHEMES', 'EarlyLook', 'StreamSource', 'stream_address']

#: Variable of the environment.
STREAM_PASSWORD = 'MMTBPS_STREAM_PASSWORD'
STREAM_SCHEMES = ('rtsp', 'rtsps', 'http', 'https')
#: A folder whose name begins with a dot is not looked into by an index run.
FOLDER = '.watched'
_QUALITY = 95
_LONGEST_PAUSE = 60.
_STEP = .001  # seconds
_CAMERA = re.compile(r'[^\w.-]+')


def stream_address(address: str) -> str:
    """Return the address of a stream with the password of ``MMTBPS_STREAM_PASSWORD`` in it.

    Args:
        address: Of which only the user may be named.

    Raises:
        BadValue: It is none, or has a password.

    Example:
        >>> stream_address('rtsp://camera/live')
        'rtsp://camera/live'
    """
    parts = split_address(address, STREAM_SCHEMES, 'SOURCE', STREAM_PASSWORD)
    password = os.environ.get(STREAM_PASSWORD)
    if not parts.username or not password:
        return address
    host = parts.netloc.rpartition('@')[2]
    return parts._replace(
        netloc=f'{parts.username}:{quote(password, safe="")}@{host}').geturl()


class EarlyLook:
    """Tracker that tells of a track once before it ends, so that who stays is seen soon.

    The track goes on; when it ends it is told of again.

    Args:
        tracker: Any.
        after: Seconds after which a track is told of.

    Attributes:
        every: Of the tracker.
    """

    def __init__(self, tracker: Tracker, after: float) -> None:
        self._tracker, self._after = tracker, after
        self.every = tracker.every
        self.start()

    @property
    def open(self) -> set[int]:
        """Numbers of the tracks that go on, without those that are told of now."""
        return self._tracker.open - self._now

    def start(self) -> None:
        """Forget all tracks."""
        self._tracker.start()
        self._begun: dict[int, float] = {}
        self._told: set[int] = set()
        self._now: set[int] = set()

    def update(self, people: Sequence[Detection], time: float) -> list[int | None]:
        """Assign a track number to each person of the next frame."""
        numbers = self._tracker.update(people, time)
        for number in numbers:
            if number is not None:
                self._begun.setdefault(number, time)
        self._now = {number for number, begun in self._begun.items()
                     if time - begun >= self._after and number not in self._told}
        self._told |= self._now
        gone = self._begun.keys() - self._tracker.open
        self._begun = {key: at for key, at in self._begun.items() if key not in gone}
        self._told -= gone
        return numbers


class _OneByOne:
    """Detector that waits for no second frame."""

    batch_size = 1

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    def __call__(self, images: Sequence[Image.Image]) -> list[list[Detection]]:
        return self._detector(images)


class StreamSource(Source):
    """Source that is a stream: of each track the best picture is kept and indexed.

    Args:
        frames: Opens the stream: gives its frames and their times, until it is lost (see
            `mmtbps.search.media.live.live_frames`).
        camera: Its name, noted with each person.
        images: Folder of the gallery's images; pictures are kept in ``.watched/CAMERA`` below it.
        gallery: That people are brought into.
        encoder: Of its model.
        outbox: Keeps who is seen and not yet in the gallery.
        detector: Finds the people of a frame.
        tracker: Follows them.
        notify: Takes a line for people.
        early: Seconds after which somebody who stays is looked at.
        begun: Called when something is in the gallery.
        pause: Seconds before a lost stream is opened again; doubles up to a minute.

    Raises:
        BadValue: The camera has no name, or the images lie in an object store.
    """

    def __init__(self, frames: Callable[[threading.Event], Iterable], camera: str,
                 images: str | os.PathLike, gallery: BaseGallery, encoder: Encoder,
                 outbox: Outbox, detector: Detector, tracker: Tracker, notify: Notify,
                 early: float = 3., begun: Callable[[], object] | None = None,
                 pause: float = 1.) -> None:
        self._frames, self._camera = frames, camera.strip()
        if not self._camera:
            raise BadValue('a stream needs the name of its camera: --camera NAME')
        refuse_store(images)
        self._images = Path(images).resolve()
        self._gallery, self._encoder, self._outbox = gallery, encoder, outbox
        self._detector, self._tracker = _OneByOne(detector), EarlyLook(tracker, early)
        self._notify, self._begun, self._pause = notify, begun, pause
        self._refused = False

    @property
    def folder(self) -> Path:
        """Folder of the pictures."""
        return self._images / FOLDER / (_CAMERA.sub('_', self._camera).strip('.') or '_')

    def looks(self, stop: threading.Event) -> Iterator[None]:
        """Yield for each person who was seen; open a lost stream again."""
        yield  # those whom a kill has left behind
        pause, lost = self._pause, False
        while not stop.is_set():
            try:
                for _ in self._see(stop):
                    if lost:
                        self._notify(f'{self._camera}: the stream is back')
                    pause, lost = self._pause, False
                    yield
                reason = 'the stream has ended'
            except OSError as error:
                reason = str(error)
            if stop.is_set():
                return
            if not lost:
                self._notify(f'{self._camera}: {reason}. It is opened again')
            lost = True
            stop.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _see(self, stop: threading.Event) -> Iterator[None]:
        """Follow the people of one session, and keep a picture of each."""
        from ..media.people import people_of
        from ..media.videos import VideoFrame
        start = datetime.now(timezone.utc)
        session = start.strftime('%Y%m%dT%H%M%S.%f')

        def frames() -> Iterator[VideoFrame]:
            time = 0.
            for number, (image, moment) in enumerate(self._frames(stop)):
                time = max(moment - start.timestamp(), time + _STEP)  # a clock may be set back
                yield VideoFrame(image, self.folder / f'{session}.mp4', number, time)

        for entry, picture in people_of(frames(), self._detector, self._tracker, self._images):
            while not self._is_kept(stop, entry, picture, session, start.timestamp()):
                pass
            yield

    def _is_kept(self, stop: threading.Event, *person: Any) -> bool:
        """Keep a person, or wait where the disk refuses; whoever waits at the end is lost."""
        try:
            self.keep(*person)
        except OSError as error:
            if not self._refused:
                self._notify(f'{self._camera}: {error}. It is tried again, and nobody is seen '
                             'meanwhile')
            self._refused = True
            return stop.wait(self._pause)
        self._refused = False
        return True

    def keep(self, entry: GalleryEntry, picture: Image.Image, session: str, start: float) -> None:
        """Keep the picture of a person, and note that there is one."""
        number = entry.track.rpartition('#')[2]
        file = self.folder / f'{session}-{number}-{entry.frame}.jpg'
        memory = io.BytesIO()
        picture.convert('RGB').save(memory, 'JPEG', quality=_QUALITY)
        data = memory.getvalue()
        write_durably(file, data)
        path = file.relative_to(self._images).as_posix()
        self._outbox.capture(GalleryEntry(
            entry_id(path), path, len(data), hashlib.sha256(data).hexdigest(), self._camera,
            start + float(entry.extra['video_time']), f'{session}#{number}',
            extra={'detection_score': entry.extra['detection_score']},
            mtime_ns=file.stat().st_mtime_ns))

    def index(self) -> None:
        """Bring all of whom a picture is kept into the gallery."""
        waiting, there, pictures = self._outbox.captured(), [], []
        for entry in waiting:
            try:
                pictures.append(read_image(self._images / entry.path))
                there.append(entry)
            except UnreadableImage as error:
                self._notify(f'skipped {entry.path}: {error.reason}')
        if there:
            self._gallery.upsert(there,
                                 np.asarray(self._encoder.encode_images(pictures), np.float32))
            write_provenance(self._gallery, images=self._images)
            if self._begun is not None:
                self._begun()
                self._begun = None
        if waiting:
            self._outbox.release(waiting)
