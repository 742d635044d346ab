"""Files that are whole and on disk, or not there at all."""

import contextlib
import errno
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

from .disk_full import explain_disk_full, free_bytes
from .locks import lock_descriptor
from .store_errors import refuse_store

__all__ = ['create_once', 'durable_folder', 'folder_size', 'sync_folder', 'write_durably']

#: With less space than this, a library that fails without a reason met a full disk.
_NOTHING_FREE = 1 << 16


def write_durably(path: str | os.PathLike, content: bytes | str | Callable[[Path], None]) -> None:
    """Write a file; when this returns it is whole, on disk and under its name.

    The content grows under another name, ``*.partial``, beside the file. A kill at any moment
    leaves the old file or the new one, and at most such a partial file. Of several processes or
    threads that write the file at a time, one waits for the other; the last one's content stays.
    Whoever may read what this process creates may read it, also where a library that writes it
    keeps its files to itself.

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
    refuse_store(path)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'{path.name}.partial')
    with _only_writer(partial, path) as mode:
        _write(partial, content, path, mode)
        try:
            os.replace(partial, path)
        except OSError as error:
            _give_up(error, partial, path)
    sync_folder(path.parent)


def create_once(path: str | os.PathLike, content: bytes | str) -> bool:
    """Write a file that appears whole and only once, also when several processes write it.

    A kill leaves at most a ``*.partial`` with a name of its own beside the file.

    Args:
        path: The file; missing folders are made.
        content: Its bytes, or its text (written as UTF-8).

    Returns:
        Whether it was this call that made the file; one that was there is left as it is.

    Raises:
        OSError: As in :func:`write_durably`.
    """
    refuse_store(path)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        return False
    partial = path.with_name(f'{path.name}.{secrets.token_hex(4)}.partial')
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

    A kill at any moment leaves no folder of that name, and at most a hidden ``*.partial-XXXXXXXX``
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
    refuse_store(path)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not the process's number: in a container the next start often has the same one.
    partial = path.with_name(f'.{path.name}.partial-{secrets.token_hex(4)}')
    partial.mkdir()
    try:
        yield partial
        _sync_tree(partial)
        os.replace(partial, path)
    except BaseException as error:
        _give_up(error, partial, path)
    sync_folder(path.parent)


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
    """Bring all files below a folder, and their names, to disk.

    Who may read the folder may read the files, also those that a library keeps to itself.
    """
    readable = folder.stat().st_mode & 0o666
    for path in [folder, *folder.rglob('*')]:
        if path.is_dir():
            sync_folder(path)
        else:
            if not path.is_symlink():
                path.chmod(stat.S_IMODE(path.stat().st_mode) | readable)
            with open(path, 'rb') as file:
                os.fsync(file.fileno())


@contextlib.contextmanager
def _only_writer(partial: Path, path: Path) -> Iterator[int]:
    """Make and lock the partial file of ``path``; other writers of it wait for the end.

    Yields:
        The permissions that a new file has here.
    """
    while True:
        descriptor, is_new = _open_or_make(partial, path)
        try:
            lock_descriptor(descriptor, partial)
            if _is_open_at(descriptor, partial):
                if is_new:
                    yield stat.S_IMODE(os.fstat(descriptor).st_mode)
                    return
                partial.unlink()  # a kill left it, with permissions that may be others
        finally:
            os.close(descriptor)


def _open_or_make(partial: Path, path: Path) -> tuple[int, bool]:
    """Open the partial file of ``path``; say whether it was made for that."""
    while True:
        try:
            return os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666), True
        except FileExistsError:
            with contextlib.suppress(FileNotFoundError):  # renamed in this moment
                return os.open(partial, os.O_RDWR), False
        except OSError as error:
            raise explain_disk_full(error, path) from error


def _is_open_at(descriptor: int, path: Path) -> bool:
    """Tell an open file that has this name from one that was renamed or removed meanwhile."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _write(partial: Path, content: bytes | str | Callable[[Path], None], path: Path,
           mode: int | None = None) -> None:
    """Fill the partial file and bring it to disk, with these permissions, or remove it."""
    content = content.encode() if isinstance(content, str) else content
    try:
        if callable(content):
            content(partial)
        else:
            partial.write_bytes(content)
        if mode is not None:
            os.chmod(partial, mode)
        with open(partial, 'rb') as file:
            os.fsync(file.fileno())
    except BaseException as error:
        _give_up(error, partial, path, None if callable(content) else len(content))


def _give_up(error: BaseException, partial: Path, path: Path, needed: int | None = None
             ) -> NoReturn:
    """Remove what was half-written and raise its error, in plain words if the disk is full."""
    free, written = free_bytes(partial.parent), 0
    with contextlib.suppress(OSError):
        written = folder_size(partial) if partial.is_dir() else partial.stat().st_size
    if partial.is_dir():
        shutil.rmtree(partial, ignore_errors=True)
    else:
        partial.unlink(missing_ok=True)
    if not isinstance(error, Exception):
        raise error
    if free < _NOTHING_FREE and not isinstance(error, (OSError, MemoryError)):
        raise explain_disk_full(OSError(errno.ENOSPC, str(error)), path, written) from error
    raise explain_disk_full(error, path, needed or written) from error
