"""Locks between processes that end with the process that holds them."""

import contextlib
import os
from collections.abc import Iterator

from mmtbps.errors import UserError

__all__ = ['LockTaken', 'file_lock', 'lock_descriptor']


class LockTaken(UserError, RuntimeError):
    """A lock that another process holds."""


@contextlib.contextmanager
def file_lock(path: str | os.PathLike, wait: bool = True) -> Iterator[None]:
    """Let one process at a time in.

    The lock belongs to the open file, not to its being there: the system gives it up when the
    process ends, however it ends. So the file stays; to remove it would let two processes in, one
    with the old file and one with the new. Where the system or the file system knows no such locks
    (Windows, some network disks) there is none, and the caller must be the only writer.

    Args:
        path: The lock file, made if it is missing, in a folder that exists.
        wait: Wait for the others; else raise.

    Raises:
        LockTaken: Another process is in and ``wait`` is false.

    Example:
        >>> import tempfile
        >>> with file_lock(f'{tempfile.mkdtemp()}/.lock'):
        ...     print('alone')
        alone
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        lock_descriptor(descriptor, path, wait)
        yield
    finally:
        os.close(descriptor)


def lock_descriptor(descriptor: int, path: str | os.PathLike, wait: bool = True) -> None:
    """Lock an open file until it is closed or the process ends; see :func:`file_lock`.

    Args:
        descriptor: Of the open file.
        path: Its path, for the message.
        wait: Wait for the others; else raise.

    Raises:
        LockTaken: Another process holds it and ``wait`` is false.
    """
    try:
        import fcntl
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError as error:
        raise LockTaken(f'{path}: another process is at work here; wait for it, or stop it'
                        ) from error
    except (ImportError, OSError):
        pass  # no such locks on this system or file system
