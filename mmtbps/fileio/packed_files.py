"""Packed images as a file system of fsspec, for all that reads folders of object stores."""

import io
from collections.abc import Iterator
from typing import Any

from fsspec.spec import AbstractFileSystem

from .object_stores import AnyPath
from .packed_images import PackedImages, image_path, open_packed, split_packed
from .store_errors import PACKED_SCHEMES

__all__ = ['PackedFileSystem']


class PackedFileSystem(AbstractFileSystem):
    """File system of packed images, to be read: the names in their shards are its files.

    A name is a whole address, such as ``packed:///data/imgs.tars/cam_a/1.jpg``. A file has the
    time of change of its shard.

    Example::

        fsspec.filesystem('packed').cat_file('packed:///data/imgs.tars/cam_a/1.jpg')
    """

    protocol = tuple(PACKED_SCHEMES)

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return path.rstrip('/')  # the protocol tells where the shards are

    def info(self, path: str, **options: Any) -> dict[str, Any]:
        """Return type, size and time of change of a name.

        Raises:
            FileNotFoundError: There is no such name.
        """
        folder, name = _split(path)
        images = open_packed(folder)
        if name and (found := images.find(name)) is not None:
            shard, entry = found
            return self._info(folder, name, int(entry['size']), _changed(shard))
        if not name or next(_names_below(images, name), None) is not None:
            return dict(name=path, type='directory', size=0)
        raise FileNotFoundError(path)

    def find(self, path: str, maxdepth: int | None = None, withdirs: bool = False,
             detail: bool = False, **options: Any) -> Any:
        """List the files below a name, by name; with ``detail`` a dict of `info`."""
        folder, top = _split(path)
        images = open_packed(folder, fresh=True)  # it may have been packed anew
        found = {}
        for name, size, changed in _names_below(images, top):
            below = name[len(top):].strip('/')
            if maxdepth is None or below.count('/') < maxdepth:
                info = self._info(folder, name, size, changed)
                found[info['name']] = info
        return found if detail else list(found)

    def cat_file(self, path: str, start: int | None = None, end: int | None = None,
                 **options: Any) -> bytes:
        """Read a file, or a part of it.

        Raises:
            MissingFile: There is no such file.
            PackedImagesError: Its bytes are not those that were packed.
        """
        folder, name = _split(path)
        return open_packed(folder).read(name)[start:end]

    def _open(self, path: str, mode: str = 'rb', **options: Any) -> io.BytesIO:
        if mode != 'rb':
            raise OSError(f'{path}: packed images are read only')
        return io.BytesIO(self.cat_file(path))

    @staticmethod
    def _info(folder: str, name: str, size: int, changed: float | None) -> dict[str, Any]:
        return dict(name=image_path(folder, name), type='file', size=size, mtime=changed)


def _split(path: str) -> tuple[str, str]:
    """Split an address into the folder of shards and a name in it, empty for the folder itself."""
    parts = split_packed(f'{path}/')
    if parts is None:
        raise FileNotFoundError(path)
    folder, name = parts
    return folder, '' if name == '.' else name


def _names_below(images: PackedImages,
                 top: str) -> Iterator[tuple[str, int, float | None]]:
    """Yield name, size and time of change of what is below a name; a shard is asked once."""
    start = f'{top}/'.encode('utf-8', 'surrogateescape') if top else b''
    for shard in images.shards:
        changed = _changed(shard.tar)
        first = shard.names.searchsorted(start)
        for place in range(int(first), len(shard.names)):
            name = bytes(shard.names[place])
            if not name.startswith(start):
                break
            yield (name.decode('utf-8', 'surrogateescape'), int(shard.index['size'][place]),
                   changed)


def _changed(shard: AnyPath) -> float | None:
    """Return the time of change of a shard, in seconds since 1970, where it is told."""
    changed = shard.stat().st_mtime_ns
    return None if changed is None else changed / 1e9
