"""Numbers of people that a file knows by names."""

from typing import Any

from mmtbps.records import Entry, RecordError

__all__ = ['PersonNumbers']

#: More digits than 2**53 has are no number that all programs read.
_DIGITS = 16


class PersonNumbers:
    """Numbers of people: theirs where the files have numbers, else in order of appearance from 0.

    A number may be written as a string (``'12'``). Numbers and other names in one data set would
    be mixed up, so one of the two kinds is refused.

    Example:
        >>> numbers = PersonNumbers()
        >>> [numbers.take(Entry({'id': name}, 'a.json'), 'id') for name in ('c_0', 'c_1', 'c_0')]
        [0, 1, 0]
    """

    def __init__(self) -> None:
        self._names: dict[str, int] = {}
        self._numbered = ''

    def take(self, entry: Entry, key: str) -> int:
        """Return the number of the person that an entry names.

        Args:
            entry: of an annotation file.
            key: of the name.

        Raises:
            RecordError: it is neither a whole number nor a string, or of the other kind.
        """
        name: Any = entry.raw.get(key)
        if isinstance(name, str) and name and not (name.isascii() and name.isdigit()):
            if self._numbered:
                raise RecordError(f'{entry.where}: key {key!r} is {name!r}, and a number in '
                                  f'{self._numbered}; name all people, or number them')
            return self.of(name)
        if isinstance(name, str) and 0 < len(name) <= _DIGITS:
            if str(int(name)) != name:
                raise RecordError(f'{entry.where}: key {key!r} is {name!r}, which is a number to '
                                  f'some programs and a name to others; write {int(name)}')
            name = int(name)
        number = name if type(name) is int and abs(name) <= 2**53 else entry.take(key, int)
        if self._names:
            raise RecordError(f'{entry.where}: key {key!r} is {number}, and other records name '
                              f'people, such as {next(iter(self._names))!r}')
        self._numbered = self._numbered or entry.where
        return number

    def of(self, name: str) -> int:
        """Return the number of a name.

        Args:
            name: of a person, or of what stands for one.
        """
        return self._names.setdefault(name, len(self._names))
