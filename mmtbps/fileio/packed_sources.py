"""Sources of packed images: what an address names is opened, and its images are listed."""

import os
from collections.abc import Iterator
from typing import Protocol

from .object_stores import AnyPath, as_path, is_remote
from .packed_addresses import SUFFIX
from .packed_images import PackedImages, PackedImagesError
from .parquet_images import ParquetImages
from .remote_stat import RemoteStat
from .tar_images import TarImages

__all__ = ['ImageSource', 'list_packed', 'open_packed']

#: Readers that are kept; each may hold a file open and its names in memory.
_KEPT = 64
# One reader a source, with the state of its file; a forked worker goes on with that of its parent.
_readers: dict[str, tuple[object, 'ImageSource']] = {}


class ImageSource(Protocol):
    """Reader of the images of one source, by name."""

    def __iter__(self) -> Iterator[str]:
        """Yield the names of all images."""

    def read(self, name: str) -> bytes:
        """Read the bytes of an image."""

    def stat(self, name: str) -> RemoteStat | None:
        """Return size and time of change of an image; None if there is none of this name."""

    def below(self, top: str) -> Iterator[tuple[str, RemoteStat]]:
        """Yield name, size and time of change of each image below a name, or of all."""


def open_packed(place: str, fresh: bool = False) -> ImageSource:
    """Return the reader of a folder of packed images, a tar shard or a parquet file.

    It is opened once a process; again if ``fresh``, or if a file of this machine has changed.

    Args:
        place: Path, or address in an object store.
        fresh: Open it now.

    Raises:
        MissingFile: There is no such source.
        PackedImagesError: It is none, or damaged.
    """
    state, kept = _state(place), _readers.get(place)
    if fresh or kept is None or kept[0] != state:
        _readers.pop(place, None)
        _readers[place] = kept = state, _kind(place)(place)
        while len(_readers) > _KEPT:
            _readers.pop(next(iter(_readers)), None)
    return kept[1]  # another thread may have put it out meanwhile


def list_packed(place: AnyPath) -> Iterator[tuple[AnyPath, str | None]]:
    """List the images of a source, each with its path as of a file in a folder.

    Args:
        place: A folder of packed images, a tar shard or a parquet file; also in an object store.

    Yields:
        Path of each image and None; or of what is not read, the image or the source, with the
        reason.

    Raises:
        StoreError: The object store does not answer.
    """
    try:
        images = open_packed(os.fspath(place), fresh=True)
    except PackedImagesError as error:
        yield place, str(error).removeprefix(f'{place}: ')
        return
    yield from ((place / name, None) for name in images)
    left_out = getattr(images, 'left_out', {})
    for name, reason in left_out.items():  # a name may be no path
        yield place, (f'{len(left_out)} of its images are not read, such as {name!r}: {reason}')
        return


def _kind(place: str) -> type[PackedImages] | type[ParquetImages]:
    if place.endswith(SUFFIX):
        return PackedImages
    return ParquetImages if place.lower().endswith('.parquet') else TarImages


def _state(place: str) -> object:
    """Return by what a changed file of this machine is told; folders and stores are not asked."""
    if place.endswith(SUFFIX) or is_remote(place):
        return None
    try:
        now = as_path(place).stat()
    except OSError:
        return None
    return now.st_mtime_ns, now.st_size
