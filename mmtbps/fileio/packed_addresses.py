"""Addresses of packed images: of those of our own format, of tar shards and of parquet files.

The path of an image in a gallery goes through what holds it as through a folder:
``shards/train-0.tar/0001.jpg``. `member_address` makes of it the address that is read,
``packed://shards/train-0.tar/0001.jpg``.
"""

import os
import posixpath
import re

from .object_stores import AnyPath, RemotePath, as_path, is_remote
from .store_errors import PACKED

__all__ = ['PREFIX', 'SUFFIX', 'absolute_path', 'image_path', 'images_place', 'is_packed_name',
           'member_address', 'packed_path', 'split_packed']

#: How the name of a folder of packed images ends.
SUFFIX = '.tars'
PREFIX = f'{PACKED}://'
_REMOTE_PREFIX = f'{PACKED}+'
_PREFIXED = re.compile(r'packed(?:://|\+(?=[a-z0-9]+://))')
#: Files that hold images, and that a path may go through. Of compressed ones none is read.
_HOLDER = re.compile(r'(?i)\.(?:tar|parquet)/')
_HOLDERS = ('.tar', '.tar.gz', '.tgz', '.parquet')
# Files of stores that were asked for their kind.
_asked: set[str] = set()


def is_packed_name(name: str) -> bool:
    """Tell by its name whether a file may hold images: a tar shard or a parquet file.

    Example:
        >>> is_packed_name('train-0.TAR'), is_packed_name('crops.parquet'), is_packed_name('a.jpg')
        (True, True, False)
    """
    return name.lower().endswith(_HOLDERS)


def packed_path(place: str | os.PathLike, name: str) -> str:
    """Return the path of an image in what holds it.

    >>> packed_path('data/shards/train-0.tar', '0001.jpg')
    'packed://data/shards/train-0.tar/0001.jpg'
    """
    path = os.path.join(place, name)
    return (_REMOTE_PREFIX if is_remote(path) else PREFIX) + path  # MMEngine takes one :// alone


def image_path(folder: str | os.PathLike, name: str) -> str:
    """Return the path of an image in a folder, be it one of packed images or a usual one.

    >>> image_path('data/imgs.tars', 'cam_a/1.jpg')
    'packed://data/imgs.tars/cam_a/1.jpg'
    >>> image_path('data/imgs', 'cam_a/1.jpg')
    'data/imgs/cam_a/1.jpg'
    >>> image_path('s3://bucket/imgs.tars', 'cam_a/1.jpg')
    'packed+s3://bucket/imgs.tars/cam_a/1.jpg'
    """
    if os.fspath(folder).rstrip('/').endswith(SUFFIX):
        return packed_path(folder, name)
    return os.path.join(folder, name)


def split_packed(path: str) -> tuple[str, str] | None:
    """Split the path of a packed image into what holds it and name; ``None`` for any other path.

    No folder inside is called so: none is packed (`~mmtbps.datasets.write_packed.pack_images`).

    >>> split_packed('packed://data/imgs.tars/./cam_a/1.jpg')
    ('data/imgs.tars', 'cam_a/1.jpg')
    >>> split_packed('packed+s3://bucket/old.tars/imgs.tars/1.jpg')
    ('s3://bucket/old.tars/imgs.tars', '1.jpg')
    >>> split_packed('packed:///data/all.parquet/part-0.parquet/1.jpg')
    ('/data/all.parquet/part-0.parquet', '1.jpg')
    """
    if (prefix := _PREFIXED.match(path)) is None:
        return None
    whole = path[prefix.end():]
    place, suffix, name = whole.rpartition(SUFFIX + '/')
    if not suffix:
        end = max((found.end() for found in _HOLDER.finditer(whole)), default=0)
        place, suffix, name = whole[:max(end - 1, 0)], '', whole[end:]
    return (place + suffix.rstrip('/'), posixpath.normpath(name)) if place else None


def absolute_path(path: str) -> str:
    """Make a path of any kind absolute, as ``os.path.abspath`` does."""
    if parts := split_packed(path):
        return packed_path(absolute_path(parts[0]), parts[1])
    return path if is_remote(path) else os.path.abspath(path)


def images_place(folder: str | os.PathLike) -> AnyPath:
    """Return the place of a folder of images; one of packed images is a store of its own.

    Args:
        folder: Of this machine or in an object store.

    Example:
        >>> images_place('/data/imgs.tars'), images_place('s3://bucket/imgs.tars')
        (RemotePath('packed:///data/imgs.tars'), RemotePath('packed+s3://bucket/imgs.tars'))
        >>> images_place('/data/imgs')
        PosixPath('/data/imgs')
    """
    path = as_path(folder)
    inside = path.name.endswith(SUFFIX) or any(one.name.endswith(SUFFIX) for one in path.parents)
    if not inside or str(path).startswith(PACKED):
        return path
    if isinstance(path, RemotePath):
        return as_path(f'{PACKED}+{path}')
    return path if path.is_file() else as_path(f'{PACKED}://{path.absolute()}')


def member_address(path: str | os.PathLike) -> AnyPath:
    """Return the address by which a file is read: of one in a shard that of a packed image.

    Args:
        path: Of a file, which may lie in a file that holds images as if that were a folder.

    Raises:
        MissingFile, StoreError: A store does not tell what the holder is.

    Example:
        >>> member_address('/data/imgs/a.jpg')
        PosixPath('/data/imgs/a.jpg')
    """
    path, text = as_path(path), os.fspath(path)
    if text.startswith((PREFIX, _REMOTE_PREFIX)):
        return path
    ends = [found.end() - 1 for found in _HOLDER.finditer(text)]
    if ends and _is_file(text[:ends[-1]]):
        return as_path(packed_path(text[:ends[-1]], text[ends[-1] + 1:]))
    return images_place(path) if SUFFIX + '/' in text else path


def _is_file(place: str) -> bool:
    """Tell a file from a folder of this name; a store is asked once."""
    if not is_remote(place):
        return os.path.isfile(place)
    if place not in _asked and as_path(place).kind() == 'directory':
        return False
    _asked.add(place)
    return True
