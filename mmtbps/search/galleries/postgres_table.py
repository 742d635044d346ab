"""Table of a gallery in PostgreSQL: its columns, rows and filters."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from mmtbps.errors import BadValue

from .caption_words import Words, spaced_words
from .entries import GalleryEntry, seal
from .filters import KINDS, Condition, OneOf
from .postgres_address import STAGE
from .postgres_changes import WRITTEN

__all__ = ['COLUMNS', 'MOST_DIMS', 'check_sizes', 'creation', 'has_value', 'read_comment',
           'rows_of', 'stage', 'upsert', 'where_clause']

COLUMNS = dict(id='text', vector='vector', camera='text', track='text', path='text',
               time='double precision', frame='bigint', caption='text', sha256='text',
               extra='jsonb', entry='text')
#: Set by pgvector.
MOST_DIMS = 16_000
#: A longer feature has no place in a page of 8 kB.
_PLAIN_DIMS = 1_800
#: An entry of a B-tree has at most a third of a page.
_TEXT_BYTES = 2_000


def creation(table: str, dim: int) -> list[str]:
    """Write the statements that create the table of a gallery.

    Args:
        table: Its name, as of `PostgresAddress`.
        dim: Length of a feature.
    """
    columns = ', '.join(
        f'{name} {kind if name != "vector" else f"vector({dim})"}'
        + (' collate "C"' if kind == 'text' else '')
        + (' primary key' if name == 'id' else '')
        + (' not null' if name in ('vector', 'path', 'sha256', 'extra', 'entry') else '')
        for name, kind in COLUMNS.items())
    columns += f', {WRITTEN} bigint not null default txid_current()'
    plain = [f'alter table {table} alter column vector set storage plain']
    return [f'create table {table} ({columns})', *(plain if dim <= _PLAIN_DIMS else []),
            # Without names, as a table of the same name may be there.
            *(f'create index on {table} ({columns})' for columns in (
                'path', 'sha256', 'camera, time', 'time', 'track')),
            f'create index on {table} using gin (extra)',
            f'create index on {table} using brin ({WRITTEN})']


def stage() -> tuple[str, str]:
    """Write the statement that makes the place for new rows, and the one that fills it."""
    columns = ', '.join(f'{name} {kind}' for name, kind in COLUMNS.items())
    return (f'create temp table if not exists {STAGE} ({columns}) on commit delete rows',
            f'copy {STAGE} ({", ".join(COLUMNS)}) from stdin (format binary)')


def upsert(table: str, numbered: bool = True) -> str:
    """Write the statement that adds the new rows or replaces by them, in the order of their ids.

    Args:
        table: Its name.
        numbered: Whether its rows note the transaction that has written them.
    """
    names = ', '.join(COLUMNS)
    changes = ', '.join([*(f'{name} = excluded.{name}' for name in COLUMNS if name != 'id'),
                         *([f'{WRITTEN} = default'] if numbered else [])])
    return (f'insert into {table} ({names}) select {names} from {STAGE} order by id '
            f'on conflict (id) do update set {changes}')


def rows_of(entries: Sequence[GalleryEntry], vectors: np.ndarray) -> Iterator[list[Any]]:
    """Yield the rows of entries with their ``(N, dim)`` features, in the order of `COLUMNS`."""
    from psycopg.types.json import Jsonb
    for entry, vector in zip(entries, vectors, strict=True):
        caption = None if entry.caption is None else spaced_words(entry.caption)
        yield [entry.id, vector, entry.camera, entry.track, entry.path, entry.time, entry.frame,
               caption, entry.sha256, Jsonb(dict(entry.extra)), seal(entry, vector)]


def read_comment(connection: Any, table: str) -> dict[str, Any] | None:
    """Read the comment of a table: nothing of a stranger's, None where there is no table."""
    found, text = connection.execute(
        "select to_regclass(%s), obj_description(to_regclass(%s), 'pg_class')",
        [table, table]).fetchone()
    if found is None:
        return None
    try:
        return dict(json.loads(text or '{}'))
    except (RecursionError, TypeError, ValueError):
        return {}


def check_sizes(entries: Sequence[GalleryEntry]) -> None:
    """Check that the texts of entries have a place in the indexes of a table.

    Raises:
        BadValue: One is too long.
    """
    for entry in entries:
        for name in ('id', 'path', 'camera', 'track', 'sha256'):
            if len((getattr(entry, name) or '').encode()) > _TEXT_BYTES:
                raise BadValue(f'entry {entry.id[:40]!r}: {name!r} is longer than the '
                               f'{_TEXT_BYTES} bytes that a PostgreSQL gallery holds')


def where_clause(conditions: Sequence[Condition]) -> tuple[str, list[Any]]:
    """Convert a filter to SQL with places for its values, and the values.

    Example:
        >>> from mmtbps.search.galleries.filters import read_where
        >>> where_clause(read_where({'camera': 'c1', 'frame': (5, None)}))
        ('where (camera = any(%s::text[])) and (frame >= %s)', [['c1'], 5])
    """
    texts: list[str] = []
    values: list[Any] = []
    for condition in conditions:
        text, given = _one(condition)
        texts.append(f'({text})')
        values += given
    return f'where {" and ".join(texts)}' if texts else '', values


def _one(condition: Condition) -> tuple[str, list[Any]]:
    if isinstance(condition, Words):
        return (' or '.join('(' + ' and '.join(['position(%s in caption) > 0'] * len(parts)) + ')'
                            for parts in condition.choices),
                [part for parts in condition.choices for part in parts])
    if condition.free:
        return (' or '.join(['extra @> %s::jsonb'] * len(condition.values)),
                [json.dumps({condition.key: value}) for value in condition.values])
    kind = {str: 'text', float: 'double precision', int: 'bigint'}.get(
        KINDS.get(condition.key), 'text')
    if isinstance(condition, OneOf):
        return f'{condition.key} = any(%s::{kind}[])', [list(condition.values)]
    ends = [(sign, end) for sign, end in (('>=', condition.low), ('<=', condition.high))
            if end is not None]
    return (' and '.join(f'{condition.key} {sign} %s' for sign, _ in ends),
            [end for _, end in ends])


def has_value(condition: Condition) -> tuple[str, list[Any]]:
    """Write the condition of the rows that have any value of a key, and its values."""
    if condition.free:
        return 'where extra ? %s', [condition.key]
    return f'where {condition.key} is not null', []
