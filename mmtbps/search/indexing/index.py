"""Indexing of a folder into a gallery; may be killed and started again at any moment.

What a gallery has of a file is replaced as a whole, and the old goes after the new is stored. So at
any moment each file is there, and a second run does what the first one left.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, groupby

from PIL import Image

from mmtbps.errors import BadValue, Remedy
from mmtbps.fileio import AnyPath, append_json_lines

from ..captioning import CaptionOptions, CaptionRun, with_captions
from ..encoders.base import Encoder
from ..galleries.base import BaseGallery, GalleryEntry
from ..galleries.fingerprint import is_same_model
from ..galleries.mismatch import mismatch_of
from ..galleries.names import match_paths, similar_paths
from ..galleries.provenance import write_provenance
from ..media.images import UnreadableImage
from .ahead import computed_ahead, groups_of
from .detection_settings import settle_detection
from .images_root import choose_images_root
from .metadata import Metadata, count_lost, describe, known_of, merge
from .options import DetectionOptions, IndexOptions
from .progress import IndexProgress
from .reading import FileReader, ReadFile, pixels_of
from .report import IndexReport
from .selection import FileSelection, FoundFiles
from .writer import BATCH_PIXELS, GalleryWriter, remove_entries

__all__ = ['entry_id', 'index_people']

#: Files that the gallery is asked for at once.
_LOOKED_UP = 1000
_CHANGED = 'it changed while it was read; index again when it is complete'
#: A person who stands is more times as high as wide; a photograph is not, or has more pixels than
#: a crop of it.
_STANDING, _CROP_PIXELS = 1.4, 2_000_000
_NOTHING_SAID = Metadata(said=frozenset())


def entry_id(path: str) -> str:
    """Compute the id of a file that is a crop of one person, the same in every run.

    Args:
        path: Of the file, relative to the images' root.

    Example:
        >>> entry_id('lobby/0001.jpg')
        'd47a1129dfe014d308c13860148b6817'
    """
    return hashlib.sha256(json.dumps([path, None, None]).encode()).hexdigest()[:32]


def index_people(source: str | os.PathLike, gallery: BaseGallery, encoder: Encoder, *,
                 metadata: Mapping[str, Metadata] | None = None,
                 detection: DetectionOptions | None = None,
                 options: IndexOptions | None = None, captions: CaptionOptions | None = None,
                 begun: Callable[[], object] | None = None) -> IndexReport:
    """Bring a gallery up to date with a folder.

    A file whose content is in the gallery is passed over, unread where its size and time of change
    are those noted; one that has changed replaces what the gallery has of it, of whose metadata
    only the camera is kept. A file that cannot be read is skipped and reported.

    Args:
        source: A folder of crops, or one file, or its address in an object store. With
            ``detection``: of photographs and videos. It may be a part of the folder that was
            indexed first.
        gallery: Made with the fingerprint of ``encoder``, and of ``captions`` by `with_captions`.
        encoder: Computes the features.
        metadata: By path relative to the images' root, see `.metadata`. A file that
            is not in it, and has not changed, keeps what the gallery knows of it.
        detection: Find the people first; without it a file is a crop of one person.
        options: Of the run.
        captions: Mixed into the features.
        begun: Called when something is in the gallery, so that there is a place for notes: at
            once, or when the first crops are stored.

    Raises:
        GalleryMismatch: The gallery is of another model; CaptionMismatch: of other captions.
        DetectionMismatch: The gallery's entries were found in another way.
        BadValue: There is no file to index, ``source`` lies outside the images' root or takes the
            place of one that is gone, or ``prune`` would take more than half.
    """
    given = with_captions(encoder.fingerprint, captions and captions.identity)
    if not is_same_model(gallery.fingerprint, given):
        raise mismatch_of(gallery.uri, gallery.fingerprint, given)
    if captions is not None:
        captions.check(detection is not None, [*chain.from_iterable(
            row.extra for row in (metadata or {}).values())])
    options = options or IndexOptions()
    selection = FileSelection.of(gallery, source, detection is not None, options)
    found = selection.find()
    run = _Run(selection, found, gallery, encoder, metadata or {}, options, captions)
    settings = settle_detection(gallery, detection)

    def check() -> None:
        # Another process may have begun the gallery since it was found empty.
        root = choose_images_root(gallery, source, options.images)
        if root != selection.root:
            raise BadValue(f'another process has begun {gallery.uri} meanwhile, with paths '
                           f'relative to {root}: index {source} again')
        settle_detection(gallery, detection)

    def note() -> None:
        write_provenance(gallery, images=selection.root, detection=settings)
        if begun is not None:
            begun()

    if run.had_entries:
        note()
    else:
        run.writer.begins, run.writer.begun = check, note
    with IndexProgress(len(found.files), options.progress) as bar:
        if detection is None:
            run.take_crops(found.files, bar)
        else:
            run.take_photographs(found.files, bar, detection)
    return run.finish()


class _Run:
    """One run of `index_people`."""

    def __init__(self, selection: FileSelection, found: FoundFiles, gallery: BaseGallery,
                 encoder: Encoder, metadata: Mapping[str, Metadata],
                 options: IndexOptions, captions: CaptionOptions | None) -> None:
        self.selection = selection
        self.found = found
        self.gallery = gallery
        self.metadata = _of_files(metadata, found.paths, selection.root)
        self.options = options
        self.report = IndexReport(passed_over=found.passed_over, unused=found.unused,
                                  videos=found.videos)
        self.had_entries = gallery.count() > 0
        told = captions and CaptionRun(captions, encoder, self.report, options.log)
        if told:
            told.start(found.paths, selection.root)
        self.reader = FileReader(selection.relative, options.rehash,
                                 *([captions.source.is_current] if captions else []))
        self.writer = GalleryWriter(gallery, encoder, options.batch_size, options.commit_every,
                                    options.log, told)
        self.changed: list[GalleryEntry] = []
        self.gone = self._find_gone() if options.prune else []
        for path, reason in found.refused.items():
            if selection.holds(path):
                self.skip(path, reason)

    def take_crops(self, paths: Sequence[AnyPath], bar: IndexProgress) -> None:
        """Take files each of which is a crop of one person."""
        read = self._ahead(self.reader.read_crop, paths)
        for files in groups_of(read, self.options.batch_size, pixels_of, BATCH_PIXELS):
            moved = self._facts_of_moved([file for file in files if file.image is not None])
            for file in files:
                if file.image is None:
                    self._pass_over(file)
                else:
                    self._take_crop(file, moved)
                bar.advance(self._note())

    def _take_crop(self, file: ReadFile, moved: Mapping[str, Metadata]) -> None:
        entry = GalleryEntry(entry_id(file.path), file.path, file.size, file.sha256,
                             mtime_ns=file.mtime_ns)
        self.writer.add(describe(entry, self._known_of(file, moved)), file.image)
        if _may_be_photograph(file.image):
            self.report.wide.append(file.path)
        self.writer.complete({file.path: file.sha256})
        if file.note is not None:
            self.report.notes.append((file.path, file.note))

    def take_photographs(self, paths: Sequence[AnyPath], bar: IndexProgress,
                         detection: DetectionOptions) -> None:
        """Take files in each of which the people are found first."""
        from ..media.people import people_in
        fresh: dict[str, ReadFile] = {}
        for file in self._ahead(self.reader.hash_file, paths):
            if file.known or file.answer or file.reason:
                self._pass_over(file)
                bar.advance(self._note())
            else:
                fresh[file.path] = file
        left, moved = dict(fresh), self._facts_of_moved(fresh.values())

        def leave_out(error: UnreadableImage) -> None:
            path = self.selection.relative(error.path)
            left.pop(path, None)
            self.skip(path, error.reason)
            bar.advance(self._note())

        people = people_in([self.selection.root / path for path in fresh], detection.detector,
                           detection.tracker, detection.interval, self.selection.root, leave_out,
                           self._take_note)
        for path, group in groupby(people, lambda person: person.entry.path):
            known = self._known_of(fresh[path], moved)
            for entry, crop in group:
                self.writer.add(_of_file(entry, fresh[path], known), crop)
            self._close(fresh[path])
            left.pop(path, None)
            bar.advance(self._note())
        self.report.nobody += left
        for file in left.values():
            self._close(file)
            bar.advance(self._note())

    def skip(self, path: str, reason: str) -> None:
        """Report a file that is not taken."""
        self.report.skipped.append((path, reason))
        if self.options.log is not None:
            append_json_lines(self.options.log, [dict(path=path, skipped=reason)])

    def _take_note(self, path: AnyPath, note: str) -> None:
        self.report.notes.append((self.selection.relative(path), note))

    def finish(self) -> IndexReport:
        """Store the rest, then changes that have nothing to do with pixels."""
        self.writer.commit()
        self._store_changed()
        report, writer = self.report, self.writer
        report.removed = writer.removed + remove_entries(self.gallery, self.gone)
        report.unknown = [path for path in self.metadata
                          if self.selection.holds(path) and self.found.is_gone(path)]
        report.similar = similar_paths(report.unknown, self.found.paths)
        report.indexed, report.replaced = writer.stored, writer.replaced
        return report

    def _store_changed(self) -> None:
        """Store changes that have nothing to do with pixels."""
        # What another process has removed meanwhile stays so.
        there = self.gallery.find(entry.id for entry in self.changed)
        changed = [entry for entry in self.changed if entry.id in there]
        if changed:
            _, features = self.gallery.get([entry.id for entry in changed])
            self.gallery.upsert(changed, features)
        self.changed = []

    def _find_gone(self) -> list[str]:
        """Find the entries whose files are gone; refuse to take too many of them for that."""
        gone: dict[str, list[str]] = {}
        files = set()  # hashes, as a large gallery has many paths
        for entry in self.gallery.entries():
            path = entry.path
            if self.selection.holds(path) and path.lower().endswith(self.selection.suffixes):
                files.add(hash(path))
                if self.found.is_gone(path):
                    gone.setdefault(path, []).append(entry.id)
        if 2 * len(gone) > len(files) and not self.options.prune_most:
            raise BadValue(
                f'{len(gone)} of the {len(files)} files that {self.gallery.uri} has of '
                f'{self.selection.source} are gone, such as {next(iter(gone))}: more than half. Is '
                'a drive not there? Nothing was indexed or removed. If they are to be removed',
                Remedy('prune_most'))
        return list(chain.from_iterable(gone.values()))

    def _close(self, file: ReadFile) -> None:
        """Complete a file that was decoded long after it was hashed, unless it is another now."""
        if self.reader.has_changed(self.selection.root / file.path, file):
            self.writer.discard(file.path)
            self.skip(file.path, _CHANGED)
        else:
            self.writer.complete({file.path: file.sha256})

    def _pass_over(self, file: ReadFile) -> None:
        if file.reason is not None:
            self.skip(file.path, file.reason)
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
                if not os.path.lexists(self.selection.root / entry.path):
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

    def _note(self) -> str:
        return (f'{self.writer.stored} stored, {self.report.unchanged} unchanged, '
                f'{len(self.report.skipped)} skipped')


def _of_files(metadata: Mapping[str, Metadata], paths: Sequence[str],
              root: AnyPath) -> dict[str, Metadata]:
    """Name the rows of a table as the files are, also those that spell them otherwise."""
    found = match_paths(metadata, paths, root)
    rows = {path: row for path, row in metadata.items() if found.get(path, path) == path}
    for path, row in metadata.items():
        name = found.get(path, path)
        rows[path if name in rows else name] = row
    return rows


def _may_be_photograph(image: Image.Image) -> bool:
    return image.height < _STANDING * image.width or image.width * image.height > _CROP_PIXELS


def _of_file(entry: GalleryEntry, file: ReadFile, known: Metadata) -> GalleryEntry:
    """Complete an entry of a detector with what is known of its file."""
    return describe(replace(entry, size=file.size, sha256=file.sha256, mtime_ns=file.mtime_ns),
                    known)
