"""Places of the notes of galleries: a file in a folder, or a text that a server keeps."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mmtbps.fileio import write_durably

from .write_lock import gallery_lock

__all__ = ['MOST_BYTES', 'NoteFile', 'NotePlace', 'StoredNote']

_FILE = 'origin.json'
MOST_BYTES = 1 << 20


class NotePlace(Protocol):
    """Place of the note of one gallery.

    Attributes:
        name: Of the place, for people.
        folder: Of the gallery; ``None`` for one elsewhere, where no path is relative to it.
    """

    name: str
    folder: str | None

    def exists(self) -> bool:
        """Tell whether there is a gallery to note something of."""

    def read(self) -> str | None:
        """Read the note; ``None`` if there is none.

        Raises:
            ValueError: It is longer than `MOST_BYTES`, or no text.
        """

    def change(self, change: Callable[[], str | None]) -> None:
        """Write what a function makes of the present note, which nobody else changes meanwhile.

        The function reads the note itself; ``None`` leaves it as it is.
        """


@dataclass(frozen=True)
class NoteFile:
    """File in the folder of a gallery.

    Args:
        folder: Of the gallery; for one elsewhere there is no file.
    """

    folder: str

    @property
    def name(self) -> str:
        """Path of the file."""
        return str(Path(self.folder, _FILE))

    def exists(self) -> bool:
        """Tell whether there is a folder."""
        return '://' not in self.folder and Path(self.folder).is_dir()

    def read(self) -> str | None:
        """Read the file."""
        file = Path(self.folder, _FILE)
        if '://' in self.folder or not file.is_file():
            return None
        if (size := file.stat().st_size) > MOST_BYTES:
            raise ValueError(f'{size} bytes')
        return file.read_text(encoding='utf-8-sig')  # as an editor may have left it

    def change(self, change: Callable[[], str | None]) -> None:
        """Replace the file, under the lock of the gallery."""
        with gallery_lock(self.folder):
            if (text := change()) is not None:
                write_durably(Path(self.folder, _FILE), text)


@dataclass(frozen=True)
class StoredNote:
    """Text that the storage of a gallery keeps.

    Args:
        uri: Of the gallery.
        is_there: Tells whether it was begun.
        load: Reads the text.
        store: Replaces it.
        lock: Keeps others from changing it meanwhile, if the storage can.
    """

    uri: str
    is_there: Callable[[], bool]
    load: Callable[[], str | None]
    store: Callable[[str], object]
    lock: Callable[[], contextlib.AbstractContextManager] = contextlib.nullcontext
    folder: None = None

    @property
    def name(self) -> str:
        """Words for the note."""
        return f'{self.uri}, its note'

    def exists(self) -> bool:
        """Tell whether the gallery was begun."""
        return self.is_there()

    def read(self) -> str | None:
        """Read the text."""
        text = self.load() if self.is_there() else None
        if text is not None and len(text) > MOST_BYTES:
            raise ValueError(f'{len(text)} characters')
        return text

    def change(self, change: Callable[[], str | None]) -> None:
        """Replace the text."""
        with self.lock():
            if (text := change()) is not None:
                self.store(text)
