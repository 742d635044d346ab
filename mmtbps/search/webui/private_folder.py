"""Folder of Gradio's files that belongs to one page and goes with it."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

__all__ = ['PrivateFolder']

_KEY = 'GRADIO_TEMP_DIR'
#: A place that the user has chosen, such as a larger disk.
_GIVEN = os.environ.get(_KEY)


class PrivateFolder:
    """Folder for files on their way from visitors, closed to other users of the machine.

    Gradio's own, ``gradio`` in the folder of temporary files, belongs to the first user who opens
    a page, and what was uploaded but not added stays there.

    Attributes:
        path: Of the folder.
    """

    def __init__(self) -> None:
        if _GIVEN is not None:
            os.makedirs(_GIVEN, exist_ok=True)
        self.path = Path(tempfile.mkdtemp(prefix='mmtbps-page-', dir=_GIVEN)).resolve()
        os.environ[_KEY] = str(self.path)
        if routes := sys.modules.get('gradio.routes'):
            routes.DEFAULT_TEMP_DIR = str(self.path)  # read once, when Gradio was imported

    def remove(self) -> None:
        """Remove the folder with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        if os.environ.get(_KEY) == str(self.path):
            os.environ.pop(_KEY)
            if _GIVEN is not None:
                os.environ[_KEY] = _GIVEN
