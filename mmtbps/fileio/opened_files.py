"""Opening of files that may lie in an object store."""

import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO

from .object_stores import as_path, is_remote
from .store_errors import explained_store

__all__ = ['local_copy', 'open_bytes', 'open_text']


def open_bytes(path: str | os.PathLike) -> BinaryIO:
    """Open a file of this machine or of an object store to be read.

    Args:
        path: Of the file, or its address.
    """
    return as_path(path).open() if is_remote(path) else open(path, 'rb')


def open_text(path: str | os.PathLike, encoding: str = 'utf-8', newline: str | None = None
              ) -> TextIO:
    """Open a text file of this machine or of an object store to be read.

    Args:
        path: Of the file, or its address.
        encoding: As of `open`.
        newline: As of `open`.
    """
    if not is_remote(path):
        return open(path, encoding=encoding, newline=newline)
    return io.TextIOWrapper(as_path(path).open(), encoding=encoding, newline=newline)


@contextmanager
def local_copy(path: str | os.PathLike) -> Iterator[Path]:
    """Give a file a place on this machine, for programs that read no others.

    A file of an object store is copied into the folder of temporary files and goes with the block.

    Args:
        path: Of the file, or its address.

    Raises:
        MissingFile, StoreError: As in `explained_store`.
    """
    if not is_remote(path):
        yield Path(path)
        return
    remote = as_path(path)
    with tempfile.TemporaryDirectory(prefix='mmtbps_') as folder:
        place = Path(folder, remote.name)
        with explained_store(str(remote)), remote.open() as source, open(place, 'wb') as target:
            shutil.copyfileobj(source, target, 1 << 20)
        yield place
