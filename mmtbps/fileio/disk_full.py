"""Errors of a full disk, worded so that people know which file, which folder and how much space."""

import contextlib
import errno
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from mmtbps.errors import UserError

__all__ = ['DiskFull', 'explain_disk_full', 'explained_disk_full', 'free_bytes', 'is_disk_full',
           'nearest_folder']

_CODES = (errno.ENOSPC, errno.EDQUOT)
# Libraries that are not written in Python, or that run in another process, hand on the text alone.
_WORDED = re.compile('|'.join(
    rf'\((os )?error {code}\)|\[Errno {code}\]|{re.escape(os.strerror(code))}' for code in _CODES))


class DiskFull(UserError, OSError):
    """A write for which there is no space; ``errno`` is the system's."""


def is_disk_full(error: Exception) -> bool:
    """Check for the error of a full disk, of Python or of a library.

    Args:
        error: of a write.

    Example:
        >>> is_disk_full(OSError(errno.ENOSPC, 'No space left on device'))
        True
        >>> is_disk_full(RuntimeError('IO error: No space left on device (os error 28)'))
        True
        >>> is_disk_full(PermissionError(errno.EACCES, 'Permission denied'))
        False
    """
    if isinstance(error, DiskFull):
        return True
    code = getattr(error, 'errno', None)
    return code in _CODES if code else bool(_WORDED.search(str(error)))


def explain_disk_full(error: Exception, path: str | os.PathLike | None,
                      needed: int | None = None) -> Exception:
    """Word the error of a full disk for people; any other error is returned as it is.

    Args:
        error: of a write.
        path: the file or folder that was written; ``None`` if nobody knows.
        needed: its bytes, as far as they are known.
    """
    if isinstance(error, DiskFull) or not is_disk_full(error):
        return error
    if path is None:
        said = 'a disk is full: that of the folder written to, or of temporary files (TMPDIR)'
    else:
        folder = nearest_folder(path)
        free = f'{in_megabytes(free_bytes(folder))} are free in {folder}'
        said = f'{path}: the disk is full; ' + (
            f'it needs {in_megabytes(needed)}, and {free}' if needed else free)
    explained = DiskFull(f'{said}. Everything up to here is kept: free some space and start the '
                         'same command again')
    explained.errno = getattr(error, 'errno', None) or errno.ENOSPC
    return explained


@contextlib.contextmanager
def explained_disk_full(path: str | os.PathLike | None) -> Iterator[None]:
    """Word the errors of a full disk in a block that writes in ways of its own.

    Args:
        path: the file or folder that is written; ``None`` if nobody knows.

    Raises:
        DiskFull: the disk is full.

    Example:
        >>> try:
        ...     with explained_disk_full('/a/run'):
        ...         raise OSError(errno.ENOSPC, 'No space left on device')
        ... except DiskFull as error:
        ...     print(str(error).partition(';')[0])
        /a/run: the disk is full
    """
    try:
        yield
    except Exception as error:
        if (explained := explain_disk_full(error, path)) is error:
            raise
        raise explained from error


def free_bytes(folder: str | os.PathLike) -> int:
    """Return the bytes that this user may still write in a folder."""
    return shutil.disk_usage(folder).free


def nearest_folder(path: str | os.PathLike) -> Path:
    """Return the folder of a file, or the nearest one above it that exists.

    Example:
        >>> nearest_folder('/no/such/folder')
        PosixPath('/')
    """
    return next(folder for folder in Path(path).absolute().parents if os.path.isdir(folder))


def in_megabytes(count: int) -> str:
    """Word a number of bytes.

    Example:
        >>> in_megabytes(12_345_678), in_megabytes(500)
        ('12.3 MB', '0.0005 MB')
    """
    return f'{count / 1e6:,.1f} MB' if count >= 1e5 or not count else f'{count / 1e6:.1g} MB'
