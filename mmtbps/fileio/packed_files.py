"""Packed images as a file system of fsspec, for all that reads folders of object stores."""

import io
from typing import Any

from fsspec.spec import AbstractFileSystem

from .packed_addresses import packed_path, split_packed
from .packed_sources import open_packed
from .remote_stat import RemoteStat
from .store_errors import PACKED_SCHEMES

__all__ = ['PackedFileSystem']


class PackedFileSystem(AbstractFileSystem):
    """File system of packed images, to be read: the names in what holds them are its files.

    A name is a whole address, such as ``packed:///data/imgs.tars/cam_a/1.jpg``. A file has the
    time of change of its shard or parquet file.

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
        place, name = _split(path)
        images = open_packed(place)
        if name and (found := images.stat(name)) is not None:
            return self._info(place, name, found)
        if not name or next(images.below(name), None) is not None:
            return dict(name=path, type='directory', size=0)
        raise FileNotFoundError(path)

    def find(self, path: str, maxdepth: int | None = None, withdirs: bool = False,
             detail: bool = False, **options: Any) -> Any:
        """List the files below a name, by name; with ``detail`` a dict of `info`."""
        place, top = _split(path)
        images = open_packed(place, fresh=True)  # it may have been packed anew
        found = {}
        for name, stat in images.below(top):
            below = name[len(top):].strip('/')
            if maxdepth is None or below.count('/') < maxdepth:
                info = self._info(place, name, stat)
                found[info['name']] = info
        return found if detail else list(found)

    def cat_file(self, path: str, start: int | None = None, end: int | None = None,
                 **options: Any) -> bytes:
        """Read a file, or a part of it.

        Raises:
            MissingFile: There is no such file.
            PackedImagesError: Its bytes are not those that were packed.
        """
        place, name = _split(path)
        return open_packed(place).read(name)[start:end]

    def _open(self, path: str, mode: str = 'rb', **options: Any) -> io.BytesIO:
        if mode != 'rb':
            raise OSError(f'{path}: packed images are read only')
        return io.BytesIO(self.cat_file(path))

    @staticmethod
    def _info(place: str, name: str, stat: RemoteStat) -> dict[str, Any]:
        changed = stat.st_mtime_ns  # in seconds since 1970, where it is told
        return dict(name=packed_path(place, name), type='file', size=stat.st_size,
                    mtime=None if changed is None else changed / 1e9)


def _split(path: str) -> tuple[str, str]:
    """Split an address into what holds the image and its name, empty for the holder itself."""
    parts = split_packed(f'{path}/')
    if parts is None:
        raise FileNotFoundError(path)
    place, name = parts
    return place, '' if name == '.' else name
