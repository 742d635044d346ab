"""Verification of a gallery: every feature of it is read, and its files and its log looked for."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from mmtbps.errors import BadValue
from mmtbps.fileio import AnyPath, iter_json_lines

from ..galleries.base import BaseGallery, GalleryEntry
from ..galleries.faults import GalleryDamaged, UnknownEntry
from .detection_settings import was_detected
from .options import IndexOptions
from .progress import IndexProgress
from .reading import FileReader
from .selection import FileSelection, FoundFiles

__all__ = ['Verification', 'verify_gallery']

_AT_ONCE = 1000


@dataclass
class Verification:
    """Account of a whole gallery; prints as one line.

    Args:
        entries: That were read, with their features.
        broken: Path and reason of each that is damaged.
        ended: Whether a damaged entry has ended the reading, so that others may be there unseen.
        missing: Files of which the gallery has nothing, and an index run would take them.
        incomplete: Files of which it has fewer entries than the log says.
        changed: Files that hold another content than the one that was indexed.
        gone: Files that are not there any more, and the gallery has entries of them.
        lost: Files of the log that are neither there nor in the gallery.
        empty: Photographs and videos of which it has nothing, and no log says whether anybody was
            found.
    """

    entries: int = 0
    broken: list[tuple[str, str]] = field(default_factory=list)
    ended: bool = False
    missing: list[str] = field(default_factory=list)
    incomplete: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """True if nothing is broken, and nothing missing that was or would be indexed."""
        return not (self.broken or self.missing or self.incomplete)

    def __str__(self) -> str:
        numbers = [f'{self.entries} entries read']
        for some, name in ((self.broken, 'broken'), (self.missing, 'files missing'),
                           (self.incomplete, 'files incomplete'), (self.changed, 'files changed'),
                           (self.gone, 'files gone'), (self.lost, 'of the log gone'),
                           (self.empty, 'files with nobody')):
            numbers += [f'{len(some)} {name}'] if some else []
        return ', '.join(numbers)


def verify_gallery(source: str | os.PathLike, gallery: BaseGallery,
                   options: IndexOptions | None = None) -> Verification:
    """Read every entry and feature of a gallery, and hold them against its images and its log.

    Features must be finite, of length 1, and those that were stored where the gallery notes
    checksums (all but Milvus). Nothing is changed.

    Args:
        source: Folder or file that was indexed, or a part of it.
        gallery: Any.
        options: Of the index run: ``images``, ``exclude``, ``shard``, and ``rehash`` to read every
            file, as otherwise one of the noted size and time of change is not; ``log`` is read.

    Raises:
        GalleryUnreadable: Its storage does not answer, or none of it can be read.
        BadValue: ``source`` is none of the gallery's, or the log is none.
    """
    options = options or IndexOptions()
    detected = was_detected(gallery)
    selection = FileSelection.of(gallery, source, detected, options)
    found, result = selection.find(), Verification()
    logged = {} if options.log is None else read_log(options.log)
    files = _Files(selection, found, options.rehash, result)
    with IndexProgress(gallery.count(), options.progress, noun='entries') as bar:
        counts = _read_entries(gallery, files, result, bar)
    if result.ended:  # what was not seen is not missing
        return result
    for path in found.files:
        name = selection.relative(path)
        if not counts[hash(name)]:
            files.place_missing(path, detected, logged.get(name))
    for name, number in logged.items():
        if not selection.holds(name):
            continue
        if 0 < counts[hash(name)] < (number or 0):
            result.incomplete.append(name)
        elif number != 0 and not counts[hash(name)] and found.is_gone(name):
            result.lost.append(name)
    return result


def read_log(path: str | os.PathLike) -> dict[str, int | None]:
    """Read the log of index runs.

    Returns:
        By path the number of entries that were stored last, 0 for a file that was skipped;
        ``None`` where earlier versions noted no number.

    Raises:
        BadValue: A line is none of such a log.
    """
    logged: dict[str, int | None] = {}
    for number, line in iter_json_lines(path):
        if not isinstance(line, dict) or not isinstance(line.get('path'), str):
            raise BadValue(f'{path}:{number}: no line of a log of an index run')
        if 'skipped' in line:
            logged[line['path']] = 0
        elif 'sha256' in line:  # else it is on a caption
            logged[line['path']] = line.get('entries')
    return logged


@dataclass
class _Files:
    """Files on disk, held against what the gallery notes of each."""

    selection: FileSelection
    found: FoundFiles
    rehash: bool
    result: Verification
    last: str | None = None

    def compare(self, entry: GalleryEntry) -> None:
        """Compare the file of an entry with what was indexed."""
        if entry.path == self.last or not self.selection.holds(entry.path):
            return
        self.last = entry.path  # those of one file mostly come together
        if self.found.is_gone(entry.path):
            self.result.gone.append(entry.path)
            return
        reader = FileReader(self.selection.relative, self.rehash)
        file = reader.hash_file(self.selection.root / entry.path, [entry])
        if not file.known and not file.reason:
            self.result.changed.append(entry.path)

    def place_missing(self, path: AnyPath, detected: bool, logged: int | None) -> None:
        """Say of a file of which the gallery has nothing whether it should have something."""
        name, reader = self.selection.relative(path), FileReader(self.selection.relative)
        if logged == 0:  # it was skipped, or nobody was found
            return
        if logged is None and detected:
            self.result.empty.append(name)
            return
        file = reader.hash_file(path) if detected else reader.read_crop(path)
        if not file.answer and not file.reason:
            self.result.missing.append(name)


def _read_entries(gallery: BaseGallery, files: _Files, result: Verification,
                  bar: IndexProgress) -> Counter:
    """Read all; count the entries of each path, by its hash, as a large gallery has many."""
    counts: Counter = Counter()
    walk = gallery.entries()
    while some := list(_until_damage(islice(walk, _AT_ONCE), result)):
        whole = [*_whole(gallery, some, result)]
        result.entries += len(whole)
        for entry in some:
            counts[hash(entry.path)] += 1
            files.compare(entry)
            bar.advance(f'{len(result.broken)} broken')
    for paths in (result.gone, result.changed):
        paths[:] = dict.fromkeys(paths)
    return counts


def _until_damage(entries: Iterator[GalleryEntry], result: Verification) -> Iterator[GalleryEntry]:
    try:
        yield from entries
    except GalleryDamaged as error:
        result.broken.append(('an entry', str(error)))
        result.ended = True


def _whole(gallery: BaseGallery, entries: Sequence[GalleryEntry],
           result: Verification) -> Iterator[GalleryEntry]:
    """Yield the entries whose features are sound, and look for the others by halves."""
    try:
        gallery.get([entry.id for entry in entries])
    except (GalleryDamaged, UnknownEntry) as error:
        if len(entries) > 1:
            middle = len(entries) // 2
            for half in (entries[:middle], entries[middle:]):
                yield from _whole(gallery, half, result)
        elif isinstance(error, GalleryDamaged):  # else it was removed meanwhile
            result.broken.append((entries[0].path, f'entry {entries[0].id}: {error}'))
        return
    yield from entries
