"""Columns of a Milvus collection: those of today, those of earlier versions, filters of both."""

import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from typing import Any, ClassVar

from mmtbps.errors import BadValue

from .caption_words import Words
from .entries import GalleryEntry
from .filters import KINDS, Condition, OneOf

__all__ = ['Columns', 'FactColumns', 'NullableColumns', 'check_sizes', 'columns_of']

_TEXT_BYTES = 16_384
#: Set by Milvus.
_JSON_BYTES = 65_536
_FACTS = [name for name in KINDS if name != 'path']


class Columns(ABC):
    """Places of an entry in a collection.

    Attributes:
        contents: Of the hash of a file; in brackets behind a name, it lies in JSON.
    """

    contents: ClassVar[str]

    @abstractmethod
    def place(self, key: str) -> str:
        """Return the place of a column or a free key."""

    @abstractmethod
    def row(self, entry: GalleryEntry) -> dict[str, Any]:
        """Return the values of the columns that are not the same in every collection."""

    @abstractmethod
    def known(self, condition: Condition) -> str:
        """Write the condition that an entry has any value of a key."""

    def expression(self, conditions: Sequence[Condition]) -> str:
        r"""Convert a filter to the language of Milvus; the one place where values become literals.

        Example:
            >>> from mmtbps.search.galleries.filters import read_where
            >>> print(FactColumns().expression(read_where({'path': 'a"b', 'frame': (5, None)})))
            (path in ["a\"b"]) and (facts["frame"] >= 5)
        """
        texts = []
        for each in conditions:
            if isinstance(each, Words):
                raise BadValue('a Milvus gallery shows captions and cannot be filtered by their '
                               'words')
            place = self.place(each.key)
            if isinstance(each, OneOf):
                texts.append(one_of(place, each.values))
            else:
                texts.append(' and '.join(
                    f'{place} {sign} {literal(end)}' for sign, end in
                    (('>=', each.low), ('<=', each.high)) if end is not None))
        return ' and '.join(f'({text})' for text in texts)


class FactColumns(Columns):
    """Columns of today: what an entry may lack lies in one of JSON, which every server takes."""

    contents = 'sha256'

    def place(self, key: str) -> str:
        if key == 'path':
            return key
        return f'{"facts" if key in KINDS else "extra"}[{literal(key)}]'

    def row(self, entry: GalleryEntry) -> dict[str, Any]:
        facts = {name: getattr(entry, name) for name in _FACTS}
        return dict(path=entry.path, sha256=entry.sha256, facts={
            name: KINDS[name](value) for name, value in facts.items() if value is not None})

    def known(self, condition: Condition) -> str:
        place = self.place(condition.key)
        return f'{place} != ""' if condition.key == 'path' else f'exists {place}'

    @staticmethod
    def add_to(schema: Any, types: Any) -> None:
        """Add the columns to the schema of a new collection; the types are those of pymilvus."""
        for name in ('path', 'sha256'):
            schema.add_field(name, types.VARCHAR, max_length=_TEXT_BYTES)
        for name in ('facts', 'extra', 'entry'):
            schema.add_field(name, types.JSON)


class NullableColumns(Columns):
    """Columns of earlier versions, one a fact: servers before 2.5 refused every row of them."""

    contents = 'entry["sha256"]'

    def place(self, key: str) -> str:
        return key if key in KINDS else f'extra[{literal(key)}]'

    def row(self, entry: GalleryEntry) -> dict[str, Any]:
        return {name: getattr(entry, name) for name in KINDS}

    def known(self, condition: Condition) -> str:
        place = self.place(condition.key)
        return f'exists {place}' if condition.free else f'{place} is not null'


def columns_of(names: Collection[str]) -> Columns:
    """Return the columns of a collection.

    Args:
        names: Of its fields.
    """
    return FactColumns() if 'facts' in names else NullableColumns()


def check_sizes(entries: Sequence[GalleryEntry]) -> None:
    """Check that a collection has places for entries.

    Raises:
        BadValue: A text, or all that is known of an entry, is too long.
    """
    for entry in entries:
        for name in ('path', 'sha256', 'camera', 'track'):
            if len((getattr(entry, name) or '').encode()) > _TEXT_BYTES:
                raise BadValue(f'entry {entry.id[:40]!r}...: {name!r} is longer than the '
                               f'{_TEXT_BYTES} bytes that a Milvus gallery holds')
        if _size(entry.to_json()) > _JSON_BYTES:
            raise BadValue(f'entry {entry.id[:40]!r}...: all that is known of it is longer than '
                           f'the {_JSON_BYTES} bytes that a Milvus gallery holds of an entry')


def one_of(place: str, values: Sequence[Any]) -> str:
    """Write the condition that a value is one of several."""
    if place.endswith(']'):  # Milvus Lite takes no `in` behind a key of JSON
        return ' or '.join(f'{place} == {literal(value)}' for value in values)
    return f'{place} in [{", ".join(map(literal, values))}]'


_ESCAPES = str.maketrans({'\\': r'\\', '"': r'\"', '\n': r'\n', '\r': r'\r', '\t': r'\t'})


def literal(value: str | int | float) -> str:
    """Write a value as it stands in the language of Milvus."""
    # Templates with parameters would be nicer, but Milvus Lite does not know them.
    return f'"{value.translate(_ESCAPES)}"' if isinstance(value, str) else repr(value)


def _size(values: dict[str, Any]) -> int:
    return len(json.dumps(values, ensure_ascii=False).encode())
