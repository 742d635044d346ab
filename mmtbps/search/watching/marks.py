"""Marks of alarms, false or right, in a file that the report reads."""

import os
from pathlib import Path

from mmtbps.errors import BadValue, MissingFile
from mmtbps.fileio import file_lock, write_durably

__all__ = ['MARKS', 'Marks', 'read_marks']

#: In the folder of a watch.
MARKS = 'marks.txt'
_RIGHT = '# right: '


def read_marks(path: str | os.PathLike) -> list[str]:
    """Read the ids of false alarms: one a line; what follows a ``#`` is a remark.

    Raises:
        MissingFile: There is no such file.
        BadValue: A line is no id.
    """
    try:
        lines = Path(path).read_text(encoding='utf-8-sig').splitlines()
    except FileNotFoundError as error:
        raise MissingFile(f'{path}: no such file of marks') from error
    except (UnicodeDecodeError, IsADirectoryError) as error:
        raise BadValue(f'{path}: no text file of marks') from error
    ids = []
    for number, line in enumerate(lines, start=1):
        words = line.partition('#')[0].split()
        if len(words) > 1:
            raise BadValue(f'{path}: line {number}: one id of an alarm is needed, got {line!r:.60}')
        ids += words
    return ids


class Marks:
    """Marks of the alarms of a watch.

    One that is right is a remark of the file, ``# right: ID``, which `read_marks` passes over;
    other remarks stay.

    Args:
        folder: Of the watch.

    Example:
        >>> import tempfile
        >>> marks = Marks(tempfile.mkdtemp())
        >>> marks.mark('a', 'false')
        >>> marks.mark('b', 'right')
        >>> marks.read(), read_marks(marks.path)
        ({'a': 'false', 'b': 'right'}, ['a'])
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        self.path = Path(folder, MARKS)

    def read(self) -> dict[str, str]:
        """Return ``'false'`` or ``'right'`` by the id of each alarm that is marked.

        Raises:
            BadValue: A line is no id.
        """
        self._check()
        return {key: mark for line in self._lines() for key, mark in _mark_of(line)}

    def mark(self, key: str, mark: str | None) -> None:
        """Mark an alarm, or take its mark away.

        Args:
            key: Id of the alarm.
            mark: ``'false'``, ``'right'`` or None.

        Raises:
            BadValue: It is none of these, or the file holds something else.
        """
        if mark not in ('false', 'right', None):
            raise BadValue(f"an alarm is marked 'false' or 'right', got {mark!r}")
        if not key or not key.isalnum():
            raise BadValue(f'{key!r:.80} is no id of an alarm')
        with file_lock(self.path.with_name('.marks.lock')):
            self._check()
            lines = [line for line in self._lines() if key not in dict(_mark_of(line))]
            if mark is not None:
                lines.append(key if mark == 'false' else f'{_RIGHT}{key}')
            write_durably(self.path, ''.join(f'{line}\n' for line in lines).encode())

    def _check(self) -> None:
        if self.path.exists():
            read_marks(self.path)

    def _lines(self) -> list[str]:
        return self.path.read_text(encoding='utf-8-sig').splitlines() if self.path.exists() else []


def _mark_of(line: str) -> list[tuple[str, str]]:
    """Return the alarm of a line with its mark; nothing for a remark or an empty line."""
    if line.startswith(_RIGHT):
        return [(key, 'right') for key in line.removeprefix(_RIGHT).split()[:1]]
    return [(key, 'false') for key in line.partition('#')[0].split()[:1]]
