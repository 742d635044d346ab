"""Folder of Gradio's files that belongs to one page and goes with it."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

__all__ = ['TEMP_KEY', 'PrivateFolder']

#: Variable of the environment that names Gradio's folder.
TEMP_KEY = 'GRADIO_TEMP_DIR'
#: A place that the user has chosen, such as a larger disk.
_GIVEN = os.environ.get(TEMP_KEY) or None
_PREFIX = 'mmtbps-page-'


class PrivateFolder:
    """Folder for files on their way from visitors, closed to other users of the machine.

    Gradio's own, ``gradio`` in the folder of temporary files, belongs to the first user who opens
    a page, and what was uploaded but not added stays there. A folder whose page was killed is
    removed when the next page opens: the system gives up the lock of a process that ends.

    Attributes:
        path: Of the folder.
    """

    def __init__(self) -> None:
        if _GIVEN is not None:
            os.makedirs(_GIVEN, exist_ok=True)
        # Under the name that others look for only when it is locked.
        place = Path(tempfile.mkdtemp(prefix=f'.{_PREFIX}', dir=_GIVEN)).resolve()
        self._lock = _lock(place)
        self.path = place.rename(place.with_name(place.name[1:]))
        if self._lock is not None:
            _remove_left(self.path.parent)
        os.environ[TEMP_KEY] = str(self.path)
        if routes := sys.modules.get('gradio.routes'):
            routes.DEFAULT_TEMP_DIR = str(self.path)  # read once, when Gradio was imported

    def remove(self) -> None:
        """Remove the folder with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
        if os.environ.get(TEMP_KEY) == str(self.path):
            os.environ.pop(TEMP_KEY)
            if _GIVEN is not None:
                os.environ[TEMP_KEY] = _GIVEN


def _remove_left(parent: Path) -> None:
    """Remove the folders of pages that were killed, as far as this user may."""
    for place in parent.glob(f'{_PREFIX}*'):
        if (lock := _lock(place)) is not None:
            shutil.rmtree(place, ignore_errors=True)
            os.close(lock)


def _lock(folder: Path) -> int | None:
    """Open and lock a folder.

    Returns:
        What is to be closed; ``None`` where it is locked already, is a link or that of another
        user, or where there are no such locks.
    """
    try:
        import fcntl
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except (ImportError, OSError):
        return None
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(opened)
        return None
    return opened
