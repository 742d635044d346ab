"""Elements of a JSON file one after the other, in the memory of one of them."""

import json
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

from mmtbps.errors import RecordError

from .json_text import as_dict
from .opened_files import open_text

__all__ = ['iter_json_elements']

_DECODER = json.JSONDecoder(object_pairs_hook=as_dict)
_BLANK = re.compile(r'[ \t\n\r]*')
_NUMBER = re.compile(r'[-+.0-9eE]*')
_CHUNK = 1 << 20
#: Letters of one element; a longer one means that the file is broken.
_MOST = 1 << 26
_WORDS = dict(list='a list of records [...]', mapping='an object {image: caption, ...}',
              lines='an object a line')
_LINES_HINT = '; a file of an object a line is read where its name ends in .jsonl'


def iter_json_elements(path: str | os.PathLike, forms: Sequence[str] = ('list', )
                       ) -> Iterator[tuple[str | None, Any]]:
    """Yield the elements of a file: ``(None, value)`` of a list, ``(key, value)`` of an object.

    Args:
        path: the file, UTF-8, or its address in an object store.
        forms: what it may be: ``'list'``, ``'mapping'`` (one object), or ``'lines'`` (objects one
            after another).

    Raises:
        RecordError: it is broken, has another form, or a key twice, with file and line. Elements
            before the fault have been yielded.
    """
    try:
        with open_text(path, encoding='utf-8-sig') as file:
            stream = _Stream(file, path)
            first = stream.peek()
            if first == '[' and 'list' in forms:
                yield from stream.elements(']')
            elif first == '{' and 'mapping' in forms:
                yield from stream.elements('}')
            elif first == '{' and 'lines' in forms:
                while stream.peek():
                    yield None, stream.take()
            else:
                found = dict if first == '{' else list if first == '[' else type(stream.take())
                raise RecordError(f'{path}: expected {" or ".join(_WORDS[form] for form in forms)}'
                                  f', got {found.__name__}{_LINES_HINT if first == "{" else ""}')
    except RecordError:
        raise
    except UnicodeDecodeError as error:
        raise RecordError(f'{path}: not UTF-8 text ({error})') from error
    except RecursionError as error:
        raise RecordError(f'{path}: JSON nested too deeply to be read') from error
    except ValueError as error:
        raise RecordError(f'{path}: JSON that cannot be read ({error})') from error


class _Stream:
    """Text of a file, of which only the part around the present value is held."""

    def __init__(self, file: TextIO, path: str | os.PathLike) -> None:
        self.file, self.path = file, path
        self.text, self.place, self.line = '', 0, 1

    def elements(self, end: str) -> Iterator[tuple[str | None, Any]]:
        """Yield the elements of the list or object that begins here, which nothing may follow."""
        self.place += 1
        known: set[str] = set()
        empty = self.peek() == end
        while not empty:
            key = self._take_key(known) if end == '}' else None
            yield key, self.take()
            if (sign := self.peek()) == end:
                break
            self._expect(',', sign)
        self.place += 1
        if end == '}' and self.peek() == '{':
            raise RecordError(f'{self.path}: expected {_WORDS["mapping"]}, got several objects'
                              f'{_LINES_HINT}')
        if self.peek():
            raise self._broken('Extra data', self.place)

    def peek(self) -> str:
        """Return the next sign that is no blank; empty at the end."""
        while True:
            self.place = _BLANK.match(self.text, self.place).end()
            if self.place < len(self.text):
                return self.text[self.place]
            if not self._fill():
                return ''

    def take(self) -> Any:
        """Decode the value that begins here."""
        self.peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self.text, self.place)
            except json.JSONDecodeError as error:
                if len(self.text) - self.place < _MOST and self._fill():
                    continue
                raise self._broken(error.msg, error.pos) from error
            # A number at the end of what has been read may go on.
            end_of_number = _NUMBER.match(self.text, self.place).end()
            if max(end, end_of_number) < len(self.text) or not self._fill():
                self.place = end
                return value

    def _take_key(self, known: set[str]) -> str:
        if self.peek() != '"':
            raise self._broken('Expecting property name enclosed in double quotes', self.place)
        key = self.take()
        if key in known:
            raise RecordError(f'{self.path}: key {key!r} stands twice in one object')
        known.add(key)
        self._expect(':', self.peek())
        return key

    def _expect(self, sign: str, found: str) -> None:
        if found != sign:
            raise self._broken(f'Expecting {sign!r} delimiter', self.place)
        self.place += 1

    def _fill(self) -> bool:
        """Read on; what is done with is forgotten."""
        rest = len(self.text) - self.place
        if not (more := self.file.read(max(_CHUNK, rest))):
            return False
        self.line += self.text.count('\n', 0, self.place)
        self.text, self.place = self.text[self.place:] + more, 0
        return True

    def _broken(self, message: str, place: int) -> RecordError:
        line = self.line + self.text.count('\n', 0, place)
        return RecordError(f'{self.path}:{line}: broken JSON ({message}); '
                           'is the download complete?')
