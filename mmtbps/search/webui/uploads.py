"""Uploads of visitors: checked, kept under names of their content, indexed."""

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mmtbps.errors import BadValue
from mmtbps.fileio import IMAGE_SUFFIXES, check_writable, is_remote, write_durably

from ..galleries.base import GalleryEntry
from ..galleries.filters import parse_time
from ..indexing.index import entry_id
from ..media.images import UnreadableImage, decode_image, read_bytes
from .service import Refused, SearchService, read_line, refusing

__all__ = ['UploadReport', 'add_crops', 'check_uploads']

MAX_FILES = 50


@dataclass
class UploadReport:
    """Account of the files of a visitor.

    Args:
        count: Crops that are new in the gallery.
        present: Pictures that were in it already.
        refused: Name and reason of each file that is not.
    """

    count: int = 0
    present: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)

    def __str__(self) -> str:
        said = [{0: 'Nothing added.', 1: 'One picture added.'}.get(
            self.count, f'{self.count} pictures added.')]
        if self.present:
            said.append(f'{"One was" if self.present == 1 else f"{self.present} were"} in the '
                        'gallery already.')
        return ' '.join([*said, *(f'{name}: {reason}.' for name, reason in self.refused)])


def check_uploads(images: str | os.PathLike, folder: str | os.PathLike) -> None:
    """Check that a folder can keep what visitors add, before any visitor does.

    Args:
        images: Folder that the paths of the gallery's entries are relative to.
        folder: To keep the files in.

    Raises:
        BadValue: The folder is not inside ``images``, or a file; or the images lie in an object
            store.
        NotWritable: Nothing can be written there.
    """
    if is_remote(images):
        raise BadValue(f'{images}: visitors add pictures to a folder of this machine or of a '
                       'shared disk, not to an object store; leave uploads out')
    if not Path(folder).resolve().is_relative_to(Path(images).resolve()):
        raise BadValue(f'{folder}: uploads must be kept inside {images}, the folder of the '
                       "gallery's images")
    check_writable(folder, folder=True)


def add_crops(service: SearchService, folder: Path, files: Sequence[str], camera: str = '',
              time: str = '', track: str = '') -> UploadReport:
    """Add pictures of single people to the gallery.

    The content of a file decides its new name, so that nothing of the visitor's name reaches the
    disk. A picture that the gallery has, under whatever name, is not added again: what is known of
    it stays, and only what was not known is noted.

    Args:
        service: Of the gallery.
        folder: Keeps the files, inside the images' folder.
        files: Uploaded files.
        camera: Of the pictures.
        time: Of the pictures; a date, a date and time, or seconds.
        track: Of the pictures.

    Raises:
        Refused: There is no file or there are too many, or the time is none.
    """
    if not files:
        raise Refused('Choose one picture or more, each of one person.')
    if len(files) > MAX_FILES:
        raise Refused(f'{len(files)} files at once; at most {MAX_FILES} are read.')
    with refusing():
        known = dict(camera=read_line(camera, 'camera') or None,
                     time=parse_time(time) if read_line(time, 'time') else None,
                     track=read_line(track, 'track') or None)
    report, pictures = UploadReport(), {}
    for file in files:
        try:
            data = read_bytes(file)
            decode_image(data, file)
            pictures[hashlib.sha256(data).hexdigest()] = data, Path(file).suffix.lower()
        except UnreadableImage as error:
            report.refused.append((Path(file).name, error.reason))
    with refusing():
        present = _find_present(service, pictures)
        report.present = len({entry.sha256 for entry in present})
        _complete(service, present, known)
        for entry in present:
            pictures.pop(entry.sha256, None)
        _store(service, folder, pictures, known)
    report.count = len(pictures)
    return report


def _find_present(service: SearchService, hashes: Iterable[str]) -> list[GalleryEntry]:
    """Find the entries of these contents whose files are there."""
    found = service.inferencer.gallery.known_contents(hashes)
    return [entry for entries in found.values() for entry in entries
            if (service.images / entry.path).is_file()]


def _complete(service: SearchService, entries: Sequence[GalleryEntry],
              known: Mapping[str, Any]) -> None:
    """Note of entries what was not known of them."""
    completed = [replace(entry, **{key: value for key, value in known.items()
                                   if getattr(entry, key) is None}) for entry in entries]
    changed = [new for new, old in zip(completed, entries, strict=True) if new != old]
    if changed:
        gallery = service.inferencer.gallery
        gallery.upsert(changed, gallery.get([entry.id for entry in changed])[1])


def _store(service: SearchService, folder: Path, pictures: Mapping[str, tuple[bytes, str]],
           known: Mapping[str, Any]) -> None:
    """Keep new pictures and put them into the gallery; if that fails, none is kept."""
    entries, features, kept = [], [], []
    try:
        for sha256, (data, suffix) in pictures.items():
            features.append(service.inferencer.encoder.encode_images([decode_image(data)])[0])
            place = folder.resolve() / (
                sha256[:32] + (suffix if suffix in IMAGE_SUFFIXES else '.jpg'))
            if not place.exists():
                kept.append(place)
                write_durably(place, data)
            path = place.relative_to(service.images.resolve()).as_posix()
            entries.append(GalleryEntry(entry_id(path), path, len(data), sha256,
                                        mtime_ns=place.stat().st_mtime_ns, **known))
        if entries:
            service.inferencer.gallery.upsert(entries, np.stack(features))
    except BaseException:
        for place in kept:
            place.unlink(missing_ok=True)
        raise
