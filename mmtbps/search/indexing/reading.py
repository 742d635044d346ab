"""Reading of files for an index run: those that the gallery knows are told by size and time."""

import hashlib
import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

from PIL import Image

from mmtbps.fileio import AnyPath, RemotePath, open_bytes
from mmtbps.fileio.packed_addresses import member_address
from mmtbps.fileio.remote_stat import RemoteStat

from ..galleries.base import GalleryEntry
from ..media.answer_mark import HEAD, is_answer
from ..media.images import UnreadableImage, decode_image, read_bytes
from .file_content import hash_file

__all__ = ['FileReader', 'ReadFile', 'is_there', 'pixels_of']


class ReadFile(NamedTuple):
    """One file as read: nothing but its hash if it is known, else maybe an image.

    Args:
        path: As the gallery keeps it.
        size: In bytes.
        sha256: Of its content.
        mtime_ns: When it was last modified; looked up before the content, so that a later change
            of it shows.
        known: Whether the gallery holds this content.
        answer: Whether it is an answer that was written into the folder.
        image: Decoded, if it is one and not known.
        reason: Why it cannot be read.
        note: What is odd about an image that could be read.
        former: Entries that the gallery has of the path.
    """

    path: str
    size: int = 0
    sha256: str = ''
    mtime_ns: int | None = None
    known: bool = False
    answer: bool = False
    image: Image.Image | None = None
    reason: str | None = None
    note: str | None = None
    former: Sequence[GalleryEntry] = ()


class FileReader:
    """Reader of the files of a run, each with the entries that the gallery has of it.

    A file of the size and the time of change that the gallery noted is known, and not read.

    Args:
        relative: Gives the path of a file as the gallery keeps it.
        rehash: Read and hash every file, also one that seems untouched.
        stays: Tells of the entries of one file whether they may stay as they are, where its content
            has not changed.
    """

    def __init__(self, relative: Callable[[AnyPath], str], rehash: bool = False,
                 stays: Callable[[Sequence[GalleryEntry]], bool] = lambda former: True) -> None:
        self.relative = relative
        self.rehash = rehash
        self.stays = stays

    def read_crop(self, path: AnyPath, former: Sequence[GalleryEntry] = ()) -> ReadFile:
        """Read and decode an image, unless it is known."""
        name = self.relative(path)
        try:
            now = _stat(path)
            if (file := self._untouched(name, now, former)) is not None:
                return file
            data = read_bytes(path)
            if is_answer(data):
                return ReadFile(name, answer=True)
            content = len(data), hashlib.sha256(data).hexdigest()
            if self._is_known(former, *content):
                return ReadFile(name, *content, now.st_mtime_ns, known=True, former=former)
            notes: list[str] = []
            image = decode_image(data, path, on_note=notes.append)
            return ReadFile(name, *content, now.st_mtime_ns, image=image,
                            note=notes[0] if notes else None, former=former)
        except UnreadableImage as error:
            return ReadFile(name, reason=error.reason)

    def hash_file(self, path: AnyPath, former: Sequence[GalleryEntry] = ()) -> ReadFile:
        """Hash a photograph or a video, unless it is known."""
        name = self.relative(path)
        try:
            now = _stat(path)
            if (file := self._untouched(name, now, former)) is not None:
                return file
            with open_bytes(member_address(path)) as opened:
                answer = is_answer(opened.read(HEAD))
            size, sha256 = hash_file(member_address(path))
        except UnreadableImage as error:
            return ReadFile(name, reason=error.reason)
        except OSError as error:
            return ReadFile(name, reason=error.strerror or str(error))
        return ReadFile(name, size, sha256, now.st_mtime_ns, answer=answer, former=former,
                        known=self._is_known(former, size, sha256))

    @staticmethod
    def has_changed(path: AnyPath, file: ReadFile) -> bool:
        """Tell whether a file is another by size or time than when it was read."""
        try:
            now = _stat(path)
        except UnreadableImage:
            return True
        return (now.st_size, now.st_mtime_ns) != (file.size, file.mtime_ns)

    def _untouched(self, path: str, now: os.stat_result | RemoteStat,
                   former: Sequence[GalleryEntry]) -> ReadFile | None:
        """Return what the gallery knows of a file whose size and time of change are as noted."""
        first = next(iter(former), None)
        if self.rehash or first is None or first.mtime_ns is None or (
                first.size, first.mtime_ns) != (now.st_size, now.st_mtime_ns):
            return None
        if not self._is_known(former, first.size, first.sha256):
            return None
        return ReadFile(path, first.size, first.sha256, first.mtime_ns, known=True, former=former)

    def _is_known(self, former: Sequence[GalleryEntry], size: int, sha256: str) -> bool:
        """Tell whether all entries of a path are of this content, and may stay."""
        return bool(former) and self.stays(former) and all(
            (entry.size, entry.sha256) == (size, sha256) for entry in former)


def pixels_of(file: ReadFile) -> int:
    """Count the pixels of a file that was decoded."""
    return 0 if file.image is None else file.image.width * file.image.height


def is_there(path: AnyPath) -> bool:
    """Tell whether there is a file, or a link, of this name; also in a shard."""
    file = member_address(path)
    return file.exists() if isinstance(file, RemotePath) else os.path.lexists(file)


def _stat(path: AnyPath) -> os.stat_result | RemoteStat:
    try:
        return member_address(path).stat()
    except OSError as error:
        raise UnreadableImage(path, error.strerror or str(error)) from error
