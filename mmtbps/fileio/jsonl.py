"""JSON lines that a kill cannot break: read, append durably, append from several processes."""

import errno
import json
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from mmtbps.errors import RecordError

from .disk_full import explain_disk_full
from .json_text import decode_json, encode_json
from .locks import lock_descriptor
from .opened_files import open_bytes
from .store_errors import refuse_store

__all__ = ['JsonlWriter', 'append_json_lines', 'iter_json_lines']


def iter_json_lines(path: str | os.PathLike,
                    on_torn: Callable[[int], None] | None = None) -> Iterator[tuple[int, Any]]:
    """Yield ``(line number from 1, decoded value)`` of a JSONL file; empty lines are passed over.

    A writer that was killed leaves a last line without its newline; such a line is ignored with a
    warning when it cannot be decoded.

    Args:
        path: The file, or its address in an object store.
        on_torn: Called with the number of a half-written last line, in place of the warning.

    Raises:
        RecordError: On any other line that is not JSON, naming file and line.
    """
    with open_bytes(path) as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                yield number, decode_json(line.decode('utf-8-sig'))
            except (ValueError, RecursionError) as error:
                if isinstance(error, UnicodeDecodeError) and _seems_whole(line):
                    raise RecordError(f'{path}:{number}: not UTF-8 text ({error})') from error
                if not line.endswith(b'\n') and on_torn is not None:
                    return on_torn(number)
                if not line.endswith(b'\n'):
                    warnings.warn(f'{path}:{number}: half-written last line ignored', stacklevel=2)
                    return
                raise RecordError(f'{path}:{number}: broken JSON ({error})') from error


def _seems_whole(line: bytes) -> bool:
    """Tell an object in another encoding, such as UTF-16, from one that a kill cut off."""
    return line.replace(b'\0', b'').rstrip().endswith(b'}')


def append_json_lines(path: str | os.PathLike, rows: Iterable[Any]) -> None:
    """Append JSON lines in one write, which several processes may do to one file at a time.

    Args:
        path: The file, made if it is missing, in a folder that exists.
        rows: Values of JSON types.

    Raises:
        OSError: The disk refuses; the file is as before. :class:`DiskFull` where it is full.
    """
    data = b''.join(_line(row) for row in rows)
    if data:
        with open(path, 'ab', buffering=0) as file:
            lock_descriptor(file.fileno(), path)  # to cut off a part of a line, and no other's
            _append(file.fileno(), data, path)


class JsonlWriter:
    """A JSONL file open for appending by this process alone; every line is on disk at once.

    A torn last line that a kill left is cut off when the file is opened: so open it first, then
    read it.

    Args:
        path: The file; missing folders are made.
        keep_whole: A last line that lacks nothing but its newline gets it, as in a file that people
            write; else it counts as torn.

    Raises:
        LockTaken: Another process has it open.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / 'done.jsonl'
        >>> with JsonlWriter(path) as done:
        ...     done.append({'job': 1})
        >>> list(iter_json_lines(path))
        [(1, {'job': 1})]
    """

    def __init__(self, path: str | os.PathLike, keep_whole: bool = True) -> None:
        refuse_store(path)
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            lock_descriptor(self._descriptor, self.path, wait=False)
            _mend_tail(self._descriptor, keep_whole)
        except BaseException:
            os.close(self._descriptor)
            raise

    def append(self, row: Any) -> None:
        """Add a line; it is on disk when this returns.

        Raises:
            OSError: The disk refuses; the file is as before.
            ValueError: The row holds NaN or infinity, which JSON does not know.
        """
        _append(self._descriptor, _line(row), self.path, sync=True)

    def close(self) -> None:
        """Close the file and give up the lock."""
        os.close(self._descriptor)

    def __enter__(self) -> 'JsonlWriter':
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()


def _append(descriptor: int, data: bytes, path: str | os.PathLike, sync: bool = False) -> None:
    """Append bytes to an open file, all or none."""
    before = os.fstat(descriptor).st_size
    try:
        if os.write(descriptor, data) != len(data):
            raise OSError(errno.ENOSPC, 'the disk took only a part of a line')
        if sync:
            os.fsync(descriptor)
    except OSError as error:
        os.ftruncate(descriptor, before)
        raise explain_disk_full(error, path, len(data)) from error


def _line(row: Any) -> bytes:
    return encode_json(row).encode() + b'\n'


def _mend_tail(descriptor: int, keep_whole: bool) -> None:
    """Cut off a torn last line, or end one that lacks its newline alone."""
    size = os.lseek(descriptor, 0, os.SEEK_END)
    if size == 0 or _read_at(descriptor, size - 1, 1) == b'\n':
        return
    tail, start = b'', size
    while start > 0 and b'\n' not in tail:
        step = min(4096, start)
        start -= step
        tail = _read_at(descriptor, start, step) + tail
    last_line = tail.rpartition(b'\n')[2]
    if keep_whole and _is_json(last_line):
        os.write(descriptor, b'\n')
    else:
        os.ftruncate(descriptor, size - len(last_line))


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _read_at(descriptor: int, offset: int, length: int) -> bytes:
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.read(descriptor, length)
