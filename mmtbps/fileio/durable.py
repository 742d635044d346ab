"""Files that are whole and on disk, or not there at all."""

import contextlib
import errno
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from mmtbps.errors import UserError

__all__ = ['DiskFull', 'create_once', 'durable_folder', 'explain_disk_full', 'folder_size',
           'sync_folder', 'write_durably']


class DiskFull(UserError, OSError):
    """A write for which there is no space; ``errno`` is the system's."""


def write_durably(path: str | os.PathLike, content: bytes | str | Callable[[Path], None]) -> None:
    """Write a file; when this returns it is whole, on disk and under its name.

    The content grows under another name, ``*.partial``, beside the file. A kill at any moment
    leaves the old file or the new one, and at most such a partial file.

    Args:
        path: The file, which may exist; missing folders are made.
        content: Its bytes, its text (written as UTF-8), or a function that writes them to the path
            it is given.

    Raises:
        OSError: The disk refuses; nothing is left behind. :class:`DiskFull` where it is full.

    Example:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / 'made/on/the/way/note.txt'
        >>> write_durably(target, 'a note')
        >>> target.read_text(), [path.name for path in target.parent.iterdir()]
        ('a note', ['note.txt'])
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'{path.name}.partial')
    _write(partial, content, path)
    try:
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise explain_disk_full(error, path) from error
    sync_folder(path.parent)


def create_once(path: str | os.PathLike, content: bytes | str) -> bool:
    """Write a file that appears whole and only once, also when several processes write it.

    Args:
        path: The file; missing folders are made.
        content: Its bytes, or its text (written as UTF-8).

    Returns:
        Whether it was this call that made the file; one that was there is left as it is.

    Raises:
        OSError: As in :func:`write_durably`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        return False
    partial = path.with_name(f'{path.name}.{os.getpid()}.partial')
    _write(partial, content, path)
    try:
        os.link(partial, path)  # refuses a name that exists, unlike os.replace
        made = True
    except FileExistsError:
        made = False
    except OSError:  # a file system without links
        os.replace(partial, path)
        made = True
    finally:
        partial.unlink(missing_ok=True)
    sync_folder(path.parent)
    return made


@contextlib.contextmanager
def durable_folder(path: str | os.PathLike) -> Iterator[Path]:
    """Let a new folder be filled under another name; it appears whole, on disk and under its name.

    A kill at any moment leaves no folder of that name, and at most a hidden ``*.partial-PID``
    beside it. When the block raises, nothing is left.

    Args:
        path: The folder, which must not be there or be empty; missing parents are made.

    Yields:
        The folder to fill.

    Raises:
        OSError: The disk refuses, or ``path`` holds something. :class:`DiskFull` where it is full.

    Example:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / 'model'
        >>> with durable_folder(target) as folder:
        ...     _ = (folder / 'note.txt').write_text('a note')
        ...     target.exists()
        False
        >>> (target / 'note.txt').read_text()
        'a note'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'.{path.name}.partial-{os.getpid()}')
    partial.mkdir()
    try:
        yield partial
        _sync_tree(partial)
        os.replace(partial, path)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise explain_disk_full(error, path) from error
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    sync_folder(path.parent)


def explain_disk_full(error: OSError, path: Path) -> OSError:
    """Word the error of a full disk for people; any other error is returned as it is."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return error
    explained = DiskFull(f'{path}: the disk is full. Everything up to here is kept: free some '
                         'space and start the same command again')
    explained.errno = error.errno
    return explained


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to disk, where the system can."""
    with contextlib.suppress(OSError):  # not every system can open a folder
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def folder_size(folder: Path) -> int:
    """Count the bytes of all files below a folder; a file that goes meanwhile does not count."""
    total = 0
    for path in folder.rglob('*'):
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size if path.is_file() else 0
    return total


def _sync_tree(folder: Path) -> None:
    """Bring all files below a folder, and their names, to disk."""
    for path in [folder, *folder.rglob('*')]:
        if path.is_dir():
            sync_folder(path)
        else:
            with open(path, 'rb') as file:
                os.fsync(file.fileno())


def _write(partial: Path, content: bytes | str | Callable[[Path], None], path: Path) -> None:
    """Fill the partial file and bring it to disk, or remove it."""
    try:
        if callable(content):
            content(partial)
        else:
            partial.write_bytes(content.encode() if isinstance(content, str) else content)
        with open(partial, 'rb') as file:
            os.fsync(file.fileno())
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise explain_disk_full(error, path) from error
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
