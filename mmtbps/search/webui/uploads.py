"""Uploads of visitors: checked, kept under names of their content, indexed."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mmtbps.fileio import IMAGE_SUFFIXES, write_durably

from ..galleries.base import GalleryEntry
from ..galleries.filters import parse_time
from ..indexing.index import entry_id
from ..media.images import UnreadableImage, decode_image, read_bytes
from .service import Refused, SearchService, read_line, refusing

__all__ = ['UploadReport', 'add_crops']

MAX_FILES = 50


@dataclass
class UploadReport:
    """Account of the files of a visitor.

    Args:
        count: Crops now in the gallery.
        refused: Name and reason of each file that is not.
    """

    count: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)

    def __str__(self) -> str:
        said = {0: 'Nothing added.', 1: 'One picture added.'}.get(
            self.count, f'{self.count} pictures added.')
        return ' '.join([said, *(f'{name}: {reason}.' for name, reason in self.refused)])


def add_crops(service: SearchService, folder: Path, files: Sequence[str], camera: str = '',
              time: str = '', track: str = '') -> UploadReport:
    """Add pictures of single people to the gallery.

    The content of a file decides its new name, so that nothing of the visitor's name reaches the
    disk and the same picture is added once.

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
    report, entries, features = UploadReport(), {}, []
    for file in files:
        try:
            data = read_bytes(file)
            image = decode_image(data, file)
        except UnreadableImage as error:
            report.refused.append((Path(file).name, error.reason))
            continue
        place = _keep(data, folder, Path(file).suffix.lower())
        path = place.relative_to(service.images.resolve()).as_posix()
        if path not in entries:
            features.append(service.inferencer.encoder.encode_images([image])[0])
            entries[path] = GalleryEntry(entry_id(path), path, len(data),
                                         hashlib.sha256(data).hexdigest(),
                                         mtime_ns=place.stat().st_mtime_ns, **known)
    if entries:
        with refusing():
            service.inferencer.gallery.upsert(list(entries.values()), np.stack(features))
    report.count = len(entries)
    return report


def _keep(data: bytes, folder: Path, suffix: str) -> Path:
    """Keep data in the file named by its content."""
    suffix = suffix if suffix in IMAGE_SUFFIXES else '.jpg'
    place = folder.resolve() / (hashlib.sha256(data).hexdigest()[:32] + suffix)
    if not place.exists():
        write_durably(place, data)
    return place
