"""From files to a gallery: find, read, encode, store; to be killed and started again at will.

What a gallery has of a file is replaced as a whole, and the old goes after the new is stored. So at
any moment each file is there, and a second run does what the first one left.
"""

import hashlib
import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from PIL import Image

from ..encoders.base import Encoder
from ..galleries.base import (
    REINDEX,
    BaseGallery,
    GalleryEntry,
    GalleryMismatch,
    is_same_model,
)
from ..galleries.provenance import write_origin
from ..media.images import UnreadableImage, decode_image, read_bytes
from .metadata import Metadata, describe, known_of
from .progress import Progress
from .selection import Scope
from .writer import Intake, append_lines, remove

__all__ = ['IndexReport', 'entry_id', 'index_people']

T, R = TypeVar('T'), TypeVar('R')
#: Files read ahead by each thread; more would hold too many large photographs.
_AHEAD = 4


@dataclass
class IndexReport:
    """What became of the files; prints as one line.

    Args:
        indexed: Crops that were encoded and stored, new ones and those of changed files.
        unchanged: Files that were in the gallery already.
        updated: Unchanged files whose metadata is another now.
        removed: Crops that are no longer in the gallery.
        skipped: Path and reason of each file that was refused or could not be read.
        unknown: Rows of the metadata that name no file.
    """

    indexed: int = 0
    unchanged: int = 0
    updated: int = 0
    removed: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        numbers = [f'{self.indexed} indexed', f'{self.unchanged} unchanged']
        for number, name in ((self.updated, 'with new metadata'), (self.removed, 'removed'),
                             (len(self.skipped), 'skipped')):
            numbers += [f'{number} {name}'] if number else []
        return ', '.join(numbers)


def entry_id(path: str) -> str:
    """The id of a file that is a crop of one person, the same in every run.

    Args:
        path: Of the file, relative to the images' root.

    Example:
        >>> entry_id('lobby/0001.jpg')
        'd47a1129dfe014d308c13860148b6817'
    """
    return hashlib.sha256(json.dumps([path, None, None]).encode()).hexdigest()[:32]


def index_people(source: str | os.PathLike, gallery: BaseGallery, encoder: Encoder,
                 metadata: Mapping[str, Metadata] | None = None, batch_size: int = 64,
                 workers: int = 2, detector: Any = None, tracker: Any = None,
                 every: float | None = None, prune: bool = False, progress: bool = True,
                 shard: tuple[int, int] = (0, 1), commit_every: int = 512,
                 log: str | os.PathLike | None = None,
                 images: str | os.PathLike | None = None) -> IndexReport:
    """Bring a gallery up to date with a folder.

    A file whose content is in the gallery is passed over; one that has changed replaces what the
    gallery has of it. A file that cannot be read is skipped and reported.

    Args:
        source: A folder of crops, or one file. With a detector: of photographs and videos. It may
            be a part of the folder that was indexed first.
        gallery: Made with the fingerprint of ``encoder``.
        encoder: Computes the features.
        metadata: By path relative to the images' root, see `.metadata`. A file that
            is not in it keeps what the gallery knows of it.
        batch_size: Crops encoded at once.
        workers: Threads that read and decode.
        detector: Finds the people in a photograph; without one a file is a crop of one person.
        tracker: Makes one entry of a track, see `mmtbps.search.media.people.people_in`.
        every: Seconds between the frames of a video that are looked at.
        prune: Remove what the gallery has of files that are gone from ``source``.
        progress: Show how far it is.
        shard: (i, n): take the i-th of n parts of the files, i from 0, for n processes at a time.
        commit_every: Crops stored at once. More are faster, fewer are lost when killed.
        log: A JSON line is appended to this file for each file that is safe or was skipped.
        images: The images' root, which paths are relative to; by default the folder that was
            indexed first, see `mmtbps.search.galleries.provenance.settle_root`.

    Raises:
        GalleryMismatch: If the gallery is of another model.
        ValueError: If there is no file to index, or ``source`` lies outside the images' root.
    """
    if not is_same_model(gallery.fingerprint, encoder.fingerprint):
        raise GalleryMismatch(f'{gallery.uri} holds features of another model. Embed the images '
                              f'again, into a new gallery: {REINDEX}')
    scope = Scope.of(gallery.uri, source, shard, detector is not None, images)
    files, refused = scope.find()
    write_origin(gallery.uri, images=scope.root)
    run = _Run(scope, gallery, encoder, metadata or {}, log, batch_size, commit_every)
    for path, reason in refused:
        run.skip(path, reason)
    with Progress(len(files), progress) as bar:
        if detector is None:
            run.take_crops(files, workers, bar)
        else:
            run.take_photographs(files, workers, bar, detector, tracker, every)
    return run.finish(files, prune)


class _File(NamedTuple):
    """What was read of one file: nothing but its hash if it is known, else maybe an image."""

    path: str
    size: int = 0
    sha256: str = ''
    known: bool = False
    image: Image.Image | None = None
    reason: str | None = None


class _Run:
    """One run of `index_people`."""

    def __init__(self, scope: Scope, gallery: BaseGallery, encoder: Encoder,
                 metadata: Mapping[str, Metadata], log: str | os.PathLike | None, batch_size: int,
                 commit_every: int) -> None:
        self.scope = scope
        self.gallery = gallery
        self.metadata = metadata
        self.log = log
        self.report = IndexReport()
        self.known: dict[str, list[GalleryEntry]] = {}
        for entry in gallery.entries():
            self.known.setdefault(entry.path, []).append(entry)
        self.intake = Intake(gallery, encoder, self.known, batch_size, commit_every, log)
        self.commit_every = commit_every
        self.changed: list[GalleryEntry] = []

    def take_crops(self, paths: Sequence[Path], workers: int, bar: Progress) -> None:
        """Each file is a crop of one person."""
        for file in _ahead(self._read_crop, paths, workers):
            if file.image is None:
                self._pass_over(file)
            else:
                entry = GalleryEntry(entry_id(file.path), file.path, file.size, file.sha256)
                self.intake.add(describe(entry, self._known_of(file.path)), file.image)
                self.intake.complete({file.path: file.sha256})
            bar.advance(self._note())

    def take_photographs(self, paths: Sequence[Path], workers: int, bar: Progress, detector: Any,
                         tracker: Any, every: float | None) -> None:
        """The people in each file are found first."""
        from ..media.people import people_in
        fresh: dict[str, _File] = {}
        for file in _ahead(self._hash_file, paths, workers):
            if file.known or file.reason:
                self._pass_over(file)
                bar.advance(self._note())
            else:
                fresh[file.path] = file
        left = {path: file.sha256 for path, file in fresh.items()}

        def leave_out(error: UnreadableImage) -> None:
            path = self.scope.relative(error.path)
            left.pop(path, None)
            self.skip(path, error.reason)
            bar.advance(self._note())

        people = people_in([self.scope.root / path for path in fresh], detector, tracker, every,
                           self.scope.root, leave_out)
        for path, group in groupby(people, lambda person: person.entry.path):
            for entry, crop in group:
                self.intake.add(self._found(entry, fresh[path]), crop)
            self.intake.complete({path: fresh[path].sha256})
            left.pop(path, None)
            bar.advance(self._note())
        self.intake.complete(left)  # nobody is in these
        for _ in left:
            bar.advance(self._note())

    def skip(self, path: str, reason: str) -> None:
        """A file that is not taken."""
        self.report.skipped.append((path, reason))
        append_lines(self.log, [dict(path=path, skipped=reason)])

    def finish(self, paths: Sequence[Path], prune: bool) -> IndexReport:
        """Store the rest, then what has nothing to do with pixels."""
        self.intake.commit()
        for start in range(0, len(self.changed), self.commit_every):
            part = self.changed[start:start + self.commit_every]
            _, features = self.gallery.get([entry.id for entry in part])
            self.gallery.upsert(part, features)
        there = {self.scope.relative(path) for path in paths}
        report = self.report
        if prune:
            report.removed += remove(self.gallery, [
                entry.id for path, entries in self.known.items()
                if path not in there and self.scope.holds(path) for entry in entries])
        report.unknown = [path for path in self.metadata
                          if path not in there and self.scope.holds(path)]
        report.indexed, report.removed = self.intake.stored, report.removed + self.intake.removed
        return report

    def _read_crop(self, path: Path) -> _File:
        name = self.scope.relative(path)
        try:
            data = read_bytes(path)
            sha256 = hashlib.sha256(data).hexdigest()
            if self._is_known(name, len(data), sha256):
                return _File(name, len(data), sha256, known=True)
            return _File(name, len(data), sha256, image=decode_image(data, path))
        except UnreadableImage as error:
            return _File(name, reason=error.reason)

    def _hash_file(self, path: Path) -> _File:
        name, content, size = self.scope.relative(path), hashlib.sha256(), 0
        try:
            with open(path, 'rb') as file:
                while block := file.read(1 << 20):
                    content.update(block)
                    size += len(block)
        except OSError as error:
            return _File(name, reason=error.strerror or str(error))
        sha256 = content.hexdigest()
        return _File(name, size, sha256, known=self._is_known(name, size, sha256))

    def _is_known(self, path: str, size: int, sha256: str) -> bool:
        """Whether all that the gallery has of a path is of this content, found in this way."""
        entries = self.known.get(path)
        return bool(entries) and all(
            (entry.size, entry.sha256, entry.box is not None) == (size, sha256, self.scope.detected)
            for entry in entries)

    def _pass_over(self, file: _File) -> None:
        if file.reason is not None:
            self.skip(file.path, file.reason)
            return
        self.report.unchanged += 1
        if row := self.metadata.get(file.path):
            changed = [new for old in self.known[file.path] if (new := describe(old, row)) != old]
            self.changed += changed
            self.report.updated += bool(changed)

    def _known_of(self, path: str) -> Metadata:
        if path in self.metadata:
            return self.metadata[path]
        entries = self.known.get(path)
        return known_of(entries[0]) if entries else Metadata()

    def _found(self, entry: GalleryEntry, file: _File) -> GalleryEntry:
        """What a detector found, with what is known of its file."""
        extra = dict(entry.extra)
        if entry.time is not None:
            extra['video_time'] = f'{entry.time:.3f}'
        return describe(replace(entry, size=file.size, sha256=file.sha256, extra=extra),
                        self._known_of(entry.path))

    def _note(self) -> str:
        return (f'{self.intake.stored} stored, {self.report.unchanged} unchanged, '
                f'{len(self.report.skipped)} skipped')


def _ahead(function: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    """Results in order, computed by threads a few items ahead of their use."""
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > _AHEAD * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
