"""Lock of a gallery's folder, which lets one writer in at a time."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from mmtbps.errors import MissingFile, UserError
from mmtbps.fileio import explained_disk_full, file_lock

__all__ = ['GalleryReadOnly', 'gallery_lock']


class GalleryReadOnly(UserError, PermissionError):
    """A gallery that this user may search and not change."""


@contextlib.contextmanager
def gallery_lock(folder: str | os.PathLike) -> Iterator[None]:
    """Let one writer at a time change a gallery.

    Args:
        folder: of the gallery.

    Raises:
        MissingFile: it is gone.
        GalleryReadOnly: this user may not write there.
        DiskFull: there is no space for the lock file.
    """
    with contextlib.ExitStack() as stack:
        try:
            with explained_disk_full(folder):
                stack.enter_context(file_lock(Path(folder, '.lock')))
        except FileNotFoundError as error:
            raise MissingFile(f'{folder}: this gallery is gone. Take it from a backup or index the '
                              'images again') from error
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
                raise
            raise GalleryReadOnly(f'{folder}: this gallery cannot be changed here '
                                  f'({error.strerror}); it can be searched') from error
        yield
