"""Indexing of a folder into a gallery; may be killed and started again at any moment.

Files are found, and what is gone is removed, by one process; they are taken by this one or by many,
see `.file_run`. A second run does what the first one left.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

from mmtbps.errors import BadValue, Remedy
from mmtbps.fileio import AnyPath, append_json_lines

from ..captioning import CaptionOptions, with_captions
from ..encoders.base import Encoder
from ..galleries.base import BaseGallery
from ..galleries.fingerprint import is_same_model
from ..galleries.mismatch import mismatch_of
from ..galleries.names import match_paths, similar_paths
from .file_run import FileRun, IndexParts, entry_id
from .metadata import Metadata
from .options import DetectionOptions, IndexOptions
from .progress import IndexProgress
from .report import IndexReport
from .selection import FileSelection, FoundFiles
from .writer import remove_entries

__all__ = ['IndexPlan', 'Spread', 'entry_id', 'index_people']


@dataclass(frozen=True)
class IndexPlan:
    """Files of a run, for processes that share them.

    Args:
        selection: All files of the run, below one root.
        files: Paths relative to the root, each with its row of metadata or None.
        options: Of the run.
        parts: Of the process that shares the files out.
        check: To be called by it before it stores something itself, the first time.
        note: To be called by it when something is in a gallery that was empty.
        skip: To be called by it with path and reason of a file that cannot be taken.
    """

    selection: FileSelection
    files: Sequence[tuple[str, Metadata | None]]
    options: IndexOptions
    parts: IndexParts
    check: Callable[[], object]
    note: Callable[[], object]
    skip: Callable[[str, str], object]


class Spread(Protocol):
    """Sharer of the files of a run; yields the number of files done, with the account of them."""

    def __call__(self, plan: IndexPlan) -> Iterable[tuple[int, IndexReport]]: ...


def index_people(source: str | os.PathLike, gallery: BaseGallery, encoder: Encoder, *,
                 metadata: Mapping[str, Metadata] | None = None,
                 detection: DetectionOptions | None = None,
                 options: IndexOptions | None = None, captions: CaptionOptions | None = None,
                 begun: Callable[[], object] | None = None,
                 spread: Spread | None = None) -> IndexReport:
    """Bring a gallery up to date with a folder.

    A file whose content is in the gallery is passed over, unread where its size and time of change
    are those noted; one that has changed replaces what the gallery has of it, of whose metadata
    only the camera is kept. A file that cannot be read is skipped and reported.

    Args:
        source: A folder of crops, or one file, or its address in an object store. With
            ``detection``: of photographs and videos. It may be a part of the folder that was
            indexed first. A tar shard and a parquet file are like a folder of their images, and
            so is a folder that holds these instead of images.
        gallery: Made with the fingerprint of ``encoder``, and of ``captions`` by `with_captions`.
        encoder: Computes the features.
        metadata: By path relative to the images' root, see `.metadata`. A file that
            is not in it, and has not changed, keeps what the gallery knows of it.
        detection: Find the people first; without it a file is a crop of one person.
        options: Of the run.
        captions: Mixed into the features.
        begun: Called when something is in the gallery, so that there is a place for notes: at
            once, or when the first crops are stored.
        spread: Takes the files in other processes, such as `.ray_index.RayIndexing`; by default
            this one does.

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
    parts = IndexParts(gallery, encoder, detection, captions)
    whole = _WholeRun(selection, found, parts, metadata or {}, options)
    run = FileRun(selection, parts, whole.metadata, options, begun)
    if run.had_entries:
        run.note()
    with IndexProgress(len(found.files), options.progress) as bar:
        if spread is None:
            whole.report.add(run.take(found.files, bar, found.paths))
        else:
            for count, report in spread(whole.plan(run, parts)):
                whole.report.add(report)
                for _ in range(count):
                    bar.advance(whole.report.so_far())
    return whole.finish()


class _WholeRun:
    """The part of a run of `index_people` that is about the selection as a whole."""

    def __init__(self, selection: FileSelection, found: FoundFiles, parts: IndexParts,
                 metadata: Mapping[str, Metadata], options: IndexOptions) -> None:
        self.selection, self.found, self.options = selection, found, options
        self.gallery = parts.gallery
        self.metadata = _of_files(metadata, found.paths, selection.root)
        self.report = IndexReport(passed_over=found.passed_over, unused=found.unused,
                                  videos=found.videos, packed=found.packed)
        self.gone = self._find_gone() if options.prune else []
        for path, reason in found.refused.items():
            if selection.holds(path):
                self.skip(path, reason)

    def plan(self, run: FileRun, parts: IndexParts) -> IndexPlan:
        """Describe the files to those who share them."""
        names = map(self.selection.relative, self.found.files)
        check, note = (_nothing, _nothing) if run.had_entries else (run.check, run.note)
        return IndexPlan(self.selection, [(name, self.metadata.get(name)) for name in names],
                         self.options, parts, check, note, self.skip)

    def skip(self, path: str, reason: str) -> None:
        """Report a file that is not taken."""
        self.report.skipped.append((path, reason))
        if self.options.log is not None:
            append_json_lines(self.options.log, [dict(path=path, skipped=reason)])

    def finish(self) -> IndexReport:
        """Remove what is gone, and complete the report."""
        report = self.report
        report.removed += remove_entries(self.gallery, self.gone)
        report.unknown = [path for path in self.metadata if self._is_unknown(path)]
        report.similar = similar_paths(report.unknown, self.found.paths)
        return report

    def _is_unknown(self, path: str) -> bool:
        """Tell whether a path of a table names no file of the source, but was meant to.

        Other rows may be of other folders, but not a name as it stands in the shard.
        """
        if self.selection.holds(path):
            return self.found.is_gone(path)
        shard = self.selection.shard_named
        return shard is not None and f'{shard}/{path}' in self.found

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


def _nothing() -> None:
    """Do nothing, where a gallery was begun before."""


def _of_files(metadata: Mapping[str, Metadata], paths: Sequence[str],
              root: AnyPath) -> dict[str, Metadata]:
    """Name the rows of a table as the files are, also those that spell them otherwise."""
    found = match_paths(metadata, paths, root)
    rows = {path: row for path, row in metadata.items() if found.get(path, path) == path}
    for path, row in metadata.items():
        name = found.get(path, path)
        rows[path if name in rows else name] = row
    return rows
