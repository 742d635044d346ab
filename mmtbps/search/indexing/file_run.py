"""Files of an index run, or a batch of them: read, encoded and stored in one process.

What the gallery has of a file is replaced as a whole, and the old goes after the new is stored.
So at any moment each file is there, and files that were begun and not ended may be taken again.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from PIL import Image

from mmtbps.errors import BadValue
from mmtbps.fileio import AnyPath, append_json_lines

from ..captioning import CaptionOptions, CaptionRun
from ..encoders.base import Encoder
from ..galleries.base import BaseGallery, GalleryEntry
from ..galleries.provenance import write_provenance
from ..media.images import UnreadableImage
from .ahead import computed_ahead, groups_of
from .detection_settings import settle_detection
from .images_root import choose_images_root
from .metadata import Metadata, count_lost, describe, known_of, merge
from .options import DetectionOptions, IndexOptions
from .progress import IndexProgress
from .reading import FileReader, ReadFile, is_there, pixels_of
from .report import IndexReport
from .selection import FileSelection
from .writer import BATCH_PIXELS, GalleryWriter

__all__ = ['FileRun', 'IndexParts', 'entry_id']

#: Files that the gallery is asked for at once.
_LOOKED_UP = 1000
_CHANGED = 'it changed while it was read; index again when it is complete'
#: A person who stands is more times as high as wide; a photograph is not, or has more pixels than
#: a crop of it.
_STANDING, _CROP_PIXELS = 1.4, 2_000_000
_NOTHING_SAID = Metadata(said=frozenset())


@dataclass(frozen=True)
class IndexParts:
    """Parts that each process of an index run has of its own.

    Args:
        gallery: Made with the fingerprint of ``encoder``, and of ``captions`` by `with_captions`.
        encoder: Computes the features.
        detection: Find the people first; without it a file is a crop of one person.
        captions: Mixed into the features.
    """

    gallery: BaseGallery
    encoder: Encoder
    detection: DetectionOptions | None = None
    captions: CaptionOptions | None = None


def entry_id(path: str) -> str:
    """Compute the id of a file that is a crop of one person, the same in every run.

    Args:
        path: Of the file, relative to the images' root.

    Example:
        >>> entry_id('lobby/0001.jpg')
        'd47a1129dfe014d308c13860148b6817'
    """
    return hashlib.sha256(json.dumps([path, None, None]).encode()).hexdigest()[:32]


class FileRun:
    """Taking of some files of a selection into the gallery.

    Args:
        selection: All files of the run.
        parts: Of this process.
        rows: Metadata by path, of the files.
        options: Of the run.
        begun: Called when something is in a gallery that was empty.
    """

    def __init__(self, selection: FileSelection, parts: IndexParts, rows: Mapping[str, Metadata],
                 options: IndexOptions, begun: Callable[[], object] | None = None) -> None:
        self.selection, self.metadata, self.options = selection, rows, options
        self.gallery, self.detection, self.begun = parts.gallery, parts.detection, begun
        self.report = IndexReport()
        self.had_entries = self.gallery.count() > 0
        self.told = parts.captions and CaptionRun(parts.captions, parts.encoder, self.report,
                                                  options.log)
        self.reader = FileReader(selection.relative, options.rehash,
                                 *([parts.captions.source.is_current] if parts.captions else []))
        self.writer = GalleryWriter(self.gallery, parts.encoder, options.batch_size,
                                    options.commit_every, options.log, self.told)
        self.settings = settle_detection(self.gallery, self.detection)
        if not self.had_entries:
            self.writer.begins, self.writer.begun = self.check, self.note
        self.changed: list[GalleryEntry] = []

    def take(self, files: Sequence[AnyPath], bar: IndexProgress,
             paths: Sequence[str] | None = None) -> IndexReport:
        """Take files into the gallery, and store the changes that have nothing to do with pixels.

        Args:
            files: Of the selection.
            bar: Advances by one a file.
            paths: All of the selection, by which captions know their files; by default these.

        Returns:
            The account of these files.
        """
        if self.told:
            self.told.start(paths or [*map(self.selection.relative, files)], self.selection.root)
        if self.detection is None:
            self._take_crops(files, bar)
        else:
            self._take_photographs(files, bar, self.detection)
        self.writer.commit()
        self._store_changed()
        report, writer = self.report, self.writer
        report.removed += writer.removed
        report.indexed, report.replaced = writer.stored, writer.replaced
        return report

    def note(self) -> None:
        """Note the images' root and the detection in the gallery."""
        write_provenance(self.gallery, images=self.selection.root, detection=self.settings)
        if self.begun is not None:
            self.begun()

    def check(self) -> None:
        """Check that no other process has begun the gallery since it was found empty.

        Raises:
            BadValue: One has, with other images.
            DetectionMismatch: It has, and found people in another way.
        """
        root = choose_images_root(self.gallery, self.selection.source, self.options.images)
        if root != self.selection.root:
            raise BadValue(f'another process has begun {self.gallery.uri} meanwhile, with paths '
                           f'relative to {root}: index {self.selection.source} again')
        settle_detection(self.gallery, self.detection)

    def _take_crops(self, paths: Sequence[AnyPath], bar: IndexProgress) -> None:
        """Take files each of which is a crop of one person."""
        read = self._ahead(self.reader.read_crop, paths)
        for files in groups_of(read, self.options.batch_size, pixels_of, BATCH_PIXELS):
            moved = self._facts_of_moved([file for file in files if file.image is not None])
            for file in files:
                if file.image is None:
                    self._pass_over(file)
                else:
                    self._take_crop(file, moved)
                bar.advance(self._so_far())

    def _take_crop(self, file: ReadFile, moved: Mapping[str, Metadata]) -> None:
        entry = GalleryEntry(entry_id(file.path), file.path, file.size, file.sha256,
                             mtime_ns=file.mtime_ns)
        self.writer.add(describe(entry, self._known_of(file, moved)), file.image)
        if _may_be_photograph(file.image):
            self.report.wide.append(file.path)
        self.writer.complete({file.path: file.sha256})
        if file.note is not None:
            self.report.notes.append((file.path, file.note))

    def _take_photographs(self, paths: Sequence[AnyPath], bar: IndexProgress,
                          detection: DetectionOptions) -> None:
        """Take files in each of which the people are found first."""
        from ..media.people import people_in
        fresh: dict[str, ReadFile] = {}
        for file in self._ahead(self.reader.hash_file, paths):
            if file.known or file.answer or file.reason:
                self._pass_over(file)
                bar.advance(self._so_far())
            else:
                fresh[file.path] = file
        left, moved = dict(fresh), self._facts_of_moved(fresh.values())

        def leave_out(error: UnreadableImage) -> None:
            path = self.selection.relative(error.path)
            left.pop(path, None)
            self._skip(path, error.reason)
            bar.advance(self._so_far())

        people = people_in([self.selection.root / path for path in fresh], detection.detector,
                           detection.tracker, detection.interval, self.selection.root, leave_out,
                           self._take_note)
        for path, group in groupby(people, lambda person: person.entry.path):
            known = self._known_of(fresh[path], moved)
            for entry, crop in group:
                self.writer.add(_of_file(entry, fresh[path], known), crop)
            self._close(fresh[path])
            left.pop(path, None)
            bar.advance(self._so_far())
        self.report.nobody += left
        for file in left.values():
            self._close(file)
            bar.advance(self._so_far())

    def _skip(self, path: str, reason: str) -> None:
        """Report a file that is not taken."""
        self.report.skipped.append((path, reason))
        if self.options.log is not None:
            append_json_lines(self.options.log, [dict(path=path, skipped=reason)])

    def _take_note(self, path: AnyPath, note: str) -> None:
        self.report.notes.append((self.selection.relative(path), note))

    def _store_changed(self) -> None:
        """Store changes that have nothing to do with pixels."""
        # What another process has removed meanwhile stays so.
        there = self.gallery.find(entry.id for entry in self.changed)
        changed = [entry for entry in self.changed if entry.id in there]
        if changed:
            _, features = self.gallery.get([entry.id for entry in changed])
            self.gallery.upsert(changed, features)
        self.changed = []

    def _close(self, file: ReadFile) -> None:
        """Complete a file that was decoded long after it was hashed, unless it is another now."""
        if self.reader.has_changed(self.selection.root / file.path, file):
            self.writer.discard(file.path)
            self._skip(file.path, _CHANGED)
        else:
            self.writer.complete({file.path: file.sha256})

    def _pass_over(self, file: ReadFile) -> None:
        if file.reason is not None:
            self._skip(file.path, file.reason)
            return
        if file.answer:
            self.report.passed_over.append(file.path)
            return
        updated = False
        self.report.unchanged += 1
        entries = file.former
        former = known_of(entries[0])
        known = former
        if file.path in self.metadata or entries[0].is_undated:
            known = merge(former, self.metadata.get(file.path, _NOTHING_SAID))
            self.report.cleared += count_lost(former, known)
        for old in entries:
            described = old if known is former else describe(old, known)
            updated |= described != old
            if described != old or file.mtime_ns != old.mtime_ns:
                self.changed.append(replace(described, mtime_ns=file.mtime_ns))
        self.report.updated += updated
        if len(self.changed) >= self.options.commit_every:
            self._store_changed()

    def _known_of(self, file: ReadFile, moved: Mapping[str, Metadata]) -> Metadata:
        """Return the metadata of a file to be stored: of its content, the table and the camera."""
        former = [known_of(entry) for entry in file.former]
        same = [known for entry, known in zip(file.former, former, strict=True)
                if entry.sha256 == file.sha256]
        if same or not former:
            known = same[0] if same else moved.get(file.sha256, Metadata())
        else:  # another picture, maybe of another person, but taken at the same place
            known = Metadata(camera=former[0].camera)
            self.report.forgotten += (file.path not in self.metadata
                                      and count_lost(former[0], known) > 0)
        return merge(known, self.metadata.get(file.path, _NOTHING_SAID))

    def _facts_of_moved(self, files: Iterable[ReadFile]) -> dict[str, Metadata]:
        """Find what is known of new files from other places, where they are not any more."""
        new = {file.sha256 for file in files if not file.former} if self.had_entries else ()
        facts = {}
        for sha256, entries in self.gallery.known_contents(new).items():
            for entry in entries:
                if not is_there(self.selection.root / entry.path):
                    facts.setdefault(sha256, known_of(entry))
        return facts

    def _ahead(self, read: Callable[[AnyPath, Sequence[GalleryEntry]], ReadFile],
               paths: Sequence[AnyPath]) -> Iterator[ReadFile]:
        """Read files ahead of their use, each with the entries that the gallery has of it."""
        def with_entries() -> Iterator[tuple[AnyPath, Sequence[GalleryEntry]]]:
            for some in groups_of(paths, _LOOKED_UP):
                known = self.gallery.known(map(self.selection.relative, some))
                yield from ((path, known.get(self.selection.relative(path), ())) for path in some)

        return computed_ahead(read, with_entries(), self.options.workers)

    def _so_far(self) -> str:
        return (f'{self.writer.stored} stored, {self.report.unchanged} unchanged, '
                f'{len(self.report.skipped)} skipped')


def _may_be_photograph(image: Image.Image) -> bool:
    return image.height < _STANDING * image.width or image.width * image.height > _CROP_PIXELS


def _of_file(entry: GalleryEntry, file: ReadFile, known: Metadata) -> GalleryEntry:
    """Complete an entry of a detector with what is known of its file."""
    return describe(replace(entry, size=file.size, sha256=file.sha256, mtime_ns=file.mtime_ns),
                    known)
