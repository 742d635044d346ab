"""Names that are no file to read."""

import os
import stat
from pathlib import Path

from .object_stores import as_path, is_remote

__all__ = ['why_no_file']

_KINDS = ((stat.S_ISDIR, 'a folder, no file'), (stat.S_ISFIFO, 'a pipe, no file'),
          (stat.S_ISCHR, 'a device, no file'), (stat.S_ISBLK, 'a device, no file'),
          (stat.S_ISSOCK, 'a socket, no file'))


def why_no_file(path: str | os.PathLike, missing: str = 'no such file') -> str | None:
    """Say why a path is no file that could be read to its end.

    A pipe would be waited for, and a device such as ``/dev/zero`` has no end.

    Args:
        path: of the file, or its address in an object store.
        missing: words for one that is not there.

    Returns:
        The reason; ``None`` for a file, and for a link to one.

    Example:
        >>> import tempfile
        >>> why_no_file(tempfile.mkdtemp()), why_no_file('nowhere.pth', 'no such checkpoint')
        ('a folder, no file', 'no such checkpoint')
    """
    if is_remote(path):
        kind = as_path(path).kind()
        return {'file': None, 'directory': 'a folder, no file'}.get(kind, missing)
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):  # ValueError: of a zero byte in the name
        link = Path(path)
        try:
            return (f'a link to {os.readlink(link)}, where no file is' if link.is_symlink()
                    else missing)
        except (OSError, ValueError):
            return missing
    return next((words for is_kind, words in _KINDS if is_kind(mode)), None)
