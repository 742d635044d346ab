"""Files that are whole or not there, and one writer at a time."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ['folder_lock', 'folder_size', 'write_durably']


def write_durably(path: Path, content: bytes | Callable[[Path], None]) -> None:
    """Write a file; when this returns it is whole, on disk and under its name.

    Args:
        path: The file, which may exist.
        content: Its bytes, or a function that writes them to the path it is given.
    """
    partial = path.with_name(f'{path.name}.partial')
    try:
        if callable(content):
            content(partial)
        else:
            partial.write_bytes(content)
        with open(partial, 'rb') as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    with contextlib.suppress(OSError):  # not every system can open a folder
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextlib.contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Only one process at a time is inside; the others wait.

    The lock belongs to the open file ``.lock``, not to its being there: the system gives it up when
    the process ends, however it ends. Without ``fcntl`` (Windows) there is no lock, and a gallery
    must have one writer.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    descriptor = os.open(folder / '.lock', os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def folder_size(folder: Path) -> int:
    """Bytes of all files below a folder; a file that goes meanwhile does not count."""
    total = 0
    for path in folder.rglob('*'):
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size if path.is_file() else 0
    return total
