"""Content of a file, by which it is known again."""

import hashlib
import os

from mmtbps.fileio import open_bytes

__all__ = ['hash_file']


def hash_file(path: str | os.PathLike) -> tuple[int, str]:
    """Read a file of any size and return the number of its bytes and their SHA-256.

    Args:
        path: Of the file, or its address in an object store.

    Raises:
        OSError: It cannot be read.
    """
    content, size = hashlib.sha256(), 0
    with open_bytes(path) as file:
        while block := file.read(1 << 20):
            content.update(block)
            size += len(block)
    return size, content.hexdigest()
