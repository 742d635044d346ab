"""Places of files to come, tried before the work whose result they are for."""

import os
import tempfile
from pathlib import Path

from mmtbps.errors import BadValue, UserError

from .disk_full import explain_disk_full, nearest_folder
from .store_errors import refuse_store

__all__ = ['NotWritable', 'check_writable']


class NotWritable(UserError, PermissionError):
    """A file or folder that this user may not write."""


def check_writable(path: str | os.PathLike, folder: bool = False) -> None:
    """Make sure that a file can be written, or a folder made and filled; nothing is left behind.

    It is tried: permissions alone say nothing of a read-only disk, nor of a network disk that
    trusts nobody.

    Args:
        path: the file or folder, which may be there.
        folder: whether it is a folder.

    Raises:
        NotWritable: it is denied.
        BadValue: a folder is where the file should be, or a file where a folder should be; or it
            is an address of an object store.
        DiskFull: not even an empty file has space.

    Example:
        >>> check_writable(tempfile.mkdtemp() + '/new/metrics.json')
    """
    refuse_store(path)
    path = Path(path)
    try:
        if not folder and path.is_dir():
            raise BadValue(f'{path}: a folder; name a file')
        place = path.absolute() if folder and path.is_dir() else nearest_folder(path)
        _refuse_file_in_the_way(path, place, folder)
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        if (full := explain_disk_full(error, path)) is not error:
            raise full from error
        raise NotWritable(
            f'{path}: nothing can be written there ({error.strerror or error}); name another '
            'place, or allow it') from error


def _refuse_file_in_the_way(path: Path, place: Path, folder: bool) -> None:
    """Refuse a path that goes through a file, below the nearest folder that exists."""
    parts = path.absolute().relative_to(place).parts
    if parts and (place / parts[0]).exists() and (folder or len(parts) > 1):
        if len(parts) == 1:
            raise BadValue(f'{path}: a file; name a folder')
        raise BadValue(f'{path}: {place / parts[0]} is a file, not a folder; name another place')
