"""Packed images: a few large files instead of millions of small ones, their format and reader.

A folder whose name ends in ``.tars`` takes the place of a folder of images::

    imgs.tars/000000.tar    uncompressed, images as they were, names as below the folder
    imgs.tars/000000.npy    its index: name, offset, size and CRC-32 of each image, by name
    imgs.tars/000001.tar    ...

Why tar and not LMDB: any tool opens it, it needs no package that we do not have already, a broken
shard harms only its own images, and a shard is written from front to end, once. An index is a
sorted array that all processes map from the same file, so that a million names cost the workers of
a loader no memory of their own.

An image in it has the path ``packed://imgs.tars/cam_a/0001.jpg``, and in an object store
``packed+s3://bucket/imgs.tars/cam_a/0001.jpg``. Of a shard in a store the index is read
once, and of an image its own bytes alone. `.packed_addresses` tells such paths from others,
`.packed_sources` opens what they name, `mmtbps.datasets.packed` lets ``mmengine.fileio`` read them,
`.packed_files` fsspec, and `mmtbps.datasets.write_packed` writes such folders.
"""

import io
import os
import zlib
from collections.abc import Iterator
from functools import lru_cache
from typing import BinaryIO, NamedTuple

import numpy as np

from mmtbps.errors import MissingFile, Remedy, UserError

from .object_stores import AnyPath, RemotePath, as_path, is_remote
from .regular_files import why_no_file
from .remote_stat import RemoteStat

__all__ = ['PackedImages', 'PackedImagesError', 'PackedShard', 'index_dtype', 'read_shard']

# Systems allow a process about a thousand open files, and the caller needs some.
_MAX_OPEN = 256


class PackedImagesError(UserError, OSError):
    """A folder of packed images, a shard or an index that is not as it should be."""


class PackedShard(NamedTuple):
    """One tar file of packed images with its index."""

    tar: AnyPath
    index: np.ndarray

    @property
    def names(self) -> np.ndarray:
        """Names of its images, bytes, ascending."""
        return self.index['name']


class PackedImages:
    """Reader of the images in a folder of shards, by name.

    Safe in threads, in workers that were forked and in those that were spawned: reading has no
    position to share, and nothing is ever unpacked or unpickled.

    Args:
        folder: A folder written by :func:`~mmtbps.datasets.write_packed.pack_images`, or its
            address in an object store.

    Raises:
        MissingFile: If there is no such folder, or no shard in it.
        PackedImagesError: If a shard is shorter than its index says, or the index is missing or
            broken; the message names the file and what to do.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        self.folder = as_path(folder)
        self.shards = self._find_shards()
        # Shards are runs of the sorted names, so that one or two can have a name at all.
        self._ranges = [(bytes(shard.names[0]), bytes(shard.names[-1])) if len(shard.names)
                        else (b'\xff', b'') for shard in self.shards]
        self._open = lru_cache(_MAX_OPEN)(_open_unbuffered)

    def _find_shards(self) -> list[PackedShard]:
        shards = [read_shard(tar) for tar in sorted(self.folder.glob('*.tar'))]
        if not shards:
            raise MissingFile(f'{self.folder}: no folder with shards (*.tar); a folder of images '
                              'can be packed into one', _pack_again(self.folder))
        return shards

    def __len__(self) -> int:
        return sum(len(shard.index) for shard in self.shards)

    def __contains__(self, name: str) -> bool:
        return self.find(name) is not None

    def __iter__(self) -> Iterator[str]:
        """Yield the names of all images."""
        for shard in self.shards:
            for name in shard.names:
                yield bytes(name).decode('utf-8', 'surrogateescape')

    def read(self, name: str) -> bytes:
        """Read the bytes of an image file, as they were packed.

        Raises:
            MissingFile: If there is no such image.
            PackedImagesError: If the bytes are not those that were packed.
        """
        found = self.find(name)
        if found is None:
            raise MissingFile(f'{self.folder}: no image {name!r} in its {len(self)} images')
        tar, entry = found
        size, offset = int(entry['size']), int(entry['offset'])
        if isinstance(tar, RemotePath):
            data = tar.read_bytes(offset, offset + size) if size else b''
        else:
            file = self._open(tar)  # held here: another thread may push it out of the cache
            data = os.pread(file.fileno(), size, offset)
        self._check(data, name, tar, entry)
        return data

    def _check(self, data: bytes, name: str, tar: AnyPath, entry: np.void) -> None:
        if zlib.crc32(data) != entry['crc']:
            raise PackedImagesError(f'{tar}: {name!r} is damaged, or {tar.stem}.npy belongs to '
                                    f'another shard. {_mend_shard(tar)}', _pack_again(self.folder))

    def stat(self, name: str) -> RemoteStat | None:
        """Return size and time of change of an image, which is that of its shard; or None."""
        found = self.find(name)
        return None if found is None else RemoteStat(int(found[1]['size']),
                                                     self._changed(found[0]))

    def below(self, top: str) -> Iterator[tuple[str, RemoteStat]]:
        """Yield name, size and time of change of what is below a name; a shard is asked once."""
        start = f'{top}/'.encode('utf-8', 'surrogateescape') if top else b''
        for shard in self.shards:
            changed = self._changed(shard.tar)
            first = shard.names.searchsorted(start)
            for place in range(int(first), len(shard.names)):
                name = bytes(shard.names[place])
                if not name.startswith(start):
                    break
                yield (name.decode('utf-8', 'surrogateescape'),
                       RemoteStat(int(shard.index['size'][place]), changed))

    def _changed(self, shard: AnyPath) -> int | None:
        return shard.stat().st_mtime_ns

    def find(self, name: str) -> tuple[AnyPath, np.void] | None:
        """Find the shard of an image and its line of the index; None if there is none."""
        key = name.encode('utf-8', 'surrogateescape')
        for shard, (first, last) in zip(self.shards, self._ranges, strict=True):
            if first <= key <= last and len(key) <= shard.names.itemsize:
                place = shard.names.searchsorted(key)
                if shard.names[place] == key:
                    return shard.tar, shard.index[place]
        return None


def read_shard(tar: AnyPath) -> PackedShard:
    """Open a shard with its index, mapped and checked against the size of the tar file.

    Raises:
        PackedImagesError: As in :class:`PackedImages`.
    """
    path, again = tar.with_suffix('.npy'), _pack_again(tar.parent)
    for file in (tar, path):
        if reason := why_no_file(file, ''):  # a pipe would be waited for
            raise PackedImagesError(f'{file}: {reason}. {_mend_shard(tar)}', again)
    try:
        index = (np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) if is_remote(path)
                 else np.load(path, mmap_mode='r', allow_pickle=False))
    except FileNotFoundError as error:
        raise PackedImagesError(f'{tar} has no index {path.name}. {_INDEX_ANEW}', again) from error
    except (ValueError, EOFError, OSError) as error:
        raise PackedImagesError(f'{path}: broken index ({error}). {_mend_index(path)}',
                                again) from error
    index = np.asarray(index)  # a look-up in a memmap takes ten times as long
    if index.ndim != 1 or index.dtype != index_dtype(index.dtype):
        raise PackedImagesError(f'{path} is no index of packed images but {index.dtype} of shape '
                                f'{index.shape}. {_mend_index(path)}', again)
    names, offsets, sizes = (np.ascontiguousarray(index[key])
                             for key in ('name', 'offset', 'size'))
    if (names[1:] <= names[:-1]).any() or (offsets < 0).any() or (sizes < 0).any():
        raise PackedImagesError(f'{path}: broken index (names out of order or sizes below 0). '
                                f'{_mend_index(path)}', again)
    length = tar.stat().st_size
    if (sizes > length).any() or (offsets > length - sizes).any():
        raise PackedImagesError(f'{tar} ends after {length:,} bytes, before the last image that '
                                f'{path.name} lists. {_mend_shard(tar)}', again)
    return PackedShard(tar, index)


def index_dtype(like: np.dtype | int) -> np.dtype:
    """Return the type of an index entry for names of so many bytes, or of as many as another."""
    width = like
    if isinstance(like, np.dtype):
        width = like['name'].itemsize if like.names and 'name' in like.names else 0
    return np.dtype([('name', f'S{max(width, 1)}'), ('offset', '<i8'), ('size', '<i8'),
                     ('crc', '<u4')])


_INDEX_ANEW = 'Pack the same folder again, which writes the index anew'


def _mend_index(path: AnyPath) -> str:
    return f'Delete {path.name}. {_INDEX_ANEW}'


def _mend_shard(tar: AnyPath) -> str:
    return (f'Copy the shard anew; or delete {tar.name} and {tar.stem}.npy and pack the same '
            'folder again, which packs its images once more')


def _pack_again(out: AnyPath) -> Remedy:
    return Remedy('pack_images', dict(out=out))


def _open_unbuffered(path: AnyPath) -> BinaryIO:
    return open(path, 'rb', buffering=0)
