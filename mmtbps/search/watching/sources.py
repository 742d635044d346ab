"""Sources of a watch: the interface, a folder that is watched, and one that is looked at once."""

import glob
import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmtbps.errors import BadValue, MissingFile, MissingPackage
from mmtbps.fileio import IMAGE_SUFFIXES

from ..encoders.base import Encoder
from ..galleries.base import BaseGallery
from ..indexing import DetectionOptions, IndexOptions, index_people
from ..media.base import VIDEO_SUFFIXES
from ..media.images import find_files

__all__ = ['FolderSource', 'Source', 'StillSource']

Notify = Callable[[str], object]
_SUFFIXES = IMAGE_SUFFIXES + VIDEO_SUFFIXES
#: Seconds after which all of a folder is looked at, whatever was heard: a system drops events.
_ANYWAY = 300.
#: Settling times after which a folder is looked at though files go on coming.
_BUSY = 5


class Source(ABC):
    """Source of people."""

    @abstractmethod
    def looks(self, stop: threading.Event) -> Iterator[None]:
        """Yield whenever somebody new may be there; end when nobody will come any more.

        Args:
            stop: Set when the watch is to end.
        """

    @abstractmethod
    def index(self) -> None:
        """Bring all who are there into the gallery; may be killed and called again."""


class StillSource(Source):
    """Source that is a folder, a video or an image as it is now.

    Args:
        path: Of it.
        gallery: That people are brought into.
        encoder: Of its model.
        notify: Takes a line for people.
        detection: Of people in whole photographs and videos.
        options: Of each index run.
        begun: See `index_people`.

    Raises:
        MissingFile: There is nothing.
    """

    def __init__(self, path: str | os.PathLike, gallery: BaseGallery, encoder: Encoder,
                 notify: Notify, detection: DetectionOptions | None = None,
                 options: IndexOptions | None = None,
                 begun: Callable[[], object] | None = None) -> None:
        self.path = Path(path).resolve()
        if not self.path.exists():
            raise MissingFile(f'{path}: no such file or folder')
        self._gallery, self._encoder, self._notify = gallery, encoder, notify
        self._detection, self._begun = detection, begun
        self._options = options or IndexOptions(progress=False)
        self._said: set[tuple[str, str]] = set()
        self._unsettled: frozenset[Path] = frozenset()

    def looks(self, stop: threading.Event) -> Iterator[None]:
        """Yield once."""
        yield

    def index(self) -> None:
        """Index what is new, and name what cannot be read, once."""
        self._index()

    def _index(self, only: Collection[Path] | None = None) -> None:
        """Index all files or some."""
        suffixes = _SUFFIXES if self._detection is not None else IMAGE_SUFFIXES
        if self.path.is_dir() and not any(
                path not in self._unsettled and path.suffix.lower() in suffixes
                for path, reason in find_files(self.path, suffixes, only=only)
                if reason is None):
            return
        waiting = [glob.escape(path.relative_to(self.path).as_posix())
                   for path in sorted(self._unsettled) if path.is_relative_to(self.path)]
        report = index_people(
            self.path, self._gallery, self._encoder, detection=self._detection,
            options=replace(self._options, exclude=[*self._options.exclude, *waiting], only=only),
            begun=self._begun)
        for skipped in report.skipped:
            if skipped not in self._said:
                self._said.add(skipped)
                self._notify('skipped ' + ': '.join(skipped))


class FolderSource(StillSource):
    """Source that is a folder into which pictures and videos are put.

    A look waits until the folder has been quiet for a moment; files that are still written are left
    to the next one. It costs what is new: the files that were told of. All files are looked at
    first, after a look that has failed, and every five minutes, since a system drops events.

    Args:
        path: The folder.
        settle: Seconds for which a file must not have changed.
        poll: Seconds between two looks at all files, for network drives, which tell no changes;
            None where the system tells them.
        **others: As of `StillSource`.

    Raises:
        MissingPackage: watchdog is missing.
        BadValue: It is no folder, or a number is not above 0.
    """

    def __init__(self, path: str | os.PathLike, *others: Any, settle: float = 2.,
                 poll: float | None = None, **named: Any) -> None:
        super().__init__(path, *others, **named)
        if not self.path.is_dir():
            raise BadValue(f'{path}: no folder')
        if not settle >= 0 or (poll is not None and not poll > 0):
            raise BadValue(f'--settle and --poll are seconds above 0, got {settle} and {poll}')
        try:
            import watchdog.events  # noqa: F401
        except ImportError as error:
            raise MissingPackage('to watch a folder needs watchdog: pip install "mmtbps[watch]"'
                                 ) from error
        self._settle, self._poll = settle, poll
        self._next_whole = time.monotonic() + _ANYWAY
        self._touched: dict[Path, float] = {}
        self._come: set[Path] = set()
        self._all_files = True
        self._lock, self._heard = threading.Lock(), threading.Event()

    def looks(self, stop: threading.Event) -> Iterator[None]:
        """Yield at once, and whenever files have come and settled."""
        observer = self._observe()
        try:
            yield
            while not stop.is_set():
                self._await_files(stop)
                if not stop.is_set():
                    self._unsettled = self._find_unsettled()
                    yield
        finally:
            observer.stop()
            observer.join()

    def index(self) -> None:
        """Index the files that have come and settled, or all."""
        with self._lock:
            every, self._all_files = self._all_files, False
            settled = frozenset(self._come - self._unsettled)
            self._come -= settled
        try:
            self._index(None if every else settled)
        except BaseException:
            self._all_files = True
            raise

    def _observe(self) -> Any:
        from watchdog.events import FileSystemEvent, FileSystemEventHandler
        from watchdog.observers import Observer
        from watchdog.observers.polling import PollingObserver

        class Handler(FileSystemEventHandler):
            def on_any_event(handler, event: FileSystemEvent) -> None:  # noqa: N805
                if event.event_type in ('created', 'modified', 'moved', 'closed'):
                    for path in filter(None, (event.src_path, event.dest_path)):
                        self._touch(Path(os.fsdecode(path)), event.is_directory,
                                    event.event_type != 'modified')

        observer = Observer() if self._poll is None else PollingObserver(timeout=self._poll)
        observer.schedule(Handler(), str(self.path), recursive=True)
        try:
            observer.start()
        except OSError as error:  # of inotify: no more watches, or a drive without it
            raise BadValue(f'{self.path}: the system does not tell of changes there ({error}); '
                           'name --poll SECONDS') from error
        return observer

    def _touch(self, path: Path, is_folder: bool, is_new: bool = True) -> None:
        # Of the folder itself a change is told whenever a file in it is made.
        if is_folder or path.suffix.lower() in _SUFFIXES:
            with self._lock:
                if not is_folder:
                    self._touched[path] = time.monotonic()
                    self._come.add(path)
                elif is_new:  # with files in it, maybe, of which nothing was told
                    self._all_files = True
            self._heard.set()

    def _await_files(self, stop: threading.Event) -> None:
        """Wait until something has come and the folder is quiet, or has been busy for long."""
        until = time.monotonic() + _ANYWAY
        while not stop.is_set() and time.monotonic() < until and not self._heard.wait(.2):
            pass
        if time.monotonic() >= self._next_whole:
            self._all_files = True
            self._next_whole = time.monotonic() + _ANYWAY
        busy = time.monotonic() + _BUSY * self._settle
        while not stop.is_set() and time.monotonic() < busy and self._find_unsettled():
            stop.wait(min(.1, self._settle))
        self._heard.clear()
        if self._find_unsettled():  # they are looked at next time
            self._heard.set()

    def _find_unsettled(self) -> frozenset[Path]:
        settled = time.monotonic() - self._settle
        with self._lock:
            self._touched = {path: at for path, at in self._touched.items() if at > settled}
            return frozenset(self._touched)
