"""PostgreSQL galleries: tables of a database that is there already, by the extension pgvector."""

import contextlib
import json
import logging
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from mmtbps.errors import BadValue, first_line

from .base import BaseGallery, GalleryEntry, Hit
from .entries import unseal
from .facets import Facets
from .filters import Condition
from .fingerprint import check_fingerprint
from .note_places import NotePlace, StoredNote
from .postgres_address import GOING, PostgresAddress
from .postgres_changes import Mark, has_numbers, written_since
from .postgres_errors import check_extension, check_server, explained, import_psycopg
from .postgres_index import VectorIndex
from .postgres_table import (
    COLUMNS,
    MOST_DIMS,
    check_sizes,
    creation,
    has_value,
    read_comment,
    rows_of,
    stage,
    upsert,
    where_clause,
)

__all__ = ['PostgresGallery']

_FINGERPRINT, _NOTE = 'mmtbps.fingerprint', 'mmtbps.note'
_PAGE = 2_000
_CONNECTIONS = 8
#: Nothing is prepared: a pooler between may hand each transaction to another connection.
_OPTIONS = dict(autocommit=True, prepare_threshold=None, connect_timeout=10,
                client_encoding='utf8', application_name='mmtbps')
#: Seconds after which a server that does not answer is asked for the reason.
_SOON = 1.


class PostgresGallery(BaseGallery):
    """Gallery in PostgreSQL with pgvector; for many readers and writers on many machines.

    A call of ``upsert`` or ``delete`` is one transaction. Search is exact, unless an index was
    asked for, see `build_index`; then it is exact where a filter keeps few entries.

    Args:
        uri: ``postgresql://host[:port][,host2[:port]]/database/table``, with settings of libpq
            behind a ``?``. User and password are where libpq finds them: ``PGUSER`` and
            ``PGPASSWORD``, or ``~/.pgpass``.
        fingerprint: See `BaseGallery`.

    Raises:
        ImportError: If psycopg or pgvector is missing.
        NoServer: No server lets the caller in.
        GalleryUnreadable: The server goes away later; every call may raise it.
    """

    address_form = 'postgresql://host/database/table of PostgreSQL'

    @classmethod
    def check_name(cls, uri: str) -> None:
        PostgresAddress.parse(uri)

    @property
    def note(self) -> NotePlace:
        """Text in the comment of the table."""
        return StoredNote(self.uri, self._is_there, self._read_note, self._write_note,
                          self._alone)

    def info(self) -> dict[str, Any]:
        self._require()
        with self._asking() as connection:
            size, = connection.execute('select pg_total_relation_size(%s)',
                                       [self._table]).fetchone()
            index = self._index.describe(connection)
        return dict(kind='postgres', uri=self.uri, entries=self._count(()), dim=self.dim,
                    bytes=size, index=index, fingerprint=self.fingerprint)

    def optimize(self) -> None:
        if self._is_there():
            with self._asking():
                pass
            with explained(self.uri), self._connect() as connection:
                connection.execute(f'vacuum (analyze) {self._table}')

    def build_index(self, kind: str) -> list[str]:
        """Build an index, so that a search need not look at all entries; ``'none'`` drops it.

        Args:
            kind: ``'hnsw'`` or ``'none'``.

        Returns:
            Lines for people, on its recall under several filters.

        Raises:
            BadValue: There is no such kind, or features are too long for it.
        """
        self._require()
        self._index.check(kind, self.dim)
        with explained(self.uri), self._connect() as connection:
            self._index.drop(connection)
            if kind == 'none':
                return ['search is exact']
            self._index.build(connection, self.dim)
        return self._index.measure(self)

    def _open(self, fingerprint: dict[str, Any] | None) -> dict[str, Any] | None:
        if '_pool' not in self.__dict__:
            address = PostgresAddress.parse(self.uri)
            self._table, self._settings, self._pool = address.table, address.connection, None
            self._index, self._seen = VectorIndex(address.table), False
        import_psycopg()
        with explained(self.uri), self._connect() as connection:
            check_server(self.uri, connection, self._table)
            if (stored := self._stored(connection)) is not None:
                self._seen = True
                check_extension(self.uri, connection)
                return stored
            if fingerprint is None:
                return None
            check_extension(self.uri, connection)
        if fingerprint['dim'] > MOST_DIMS:
            raise BadValue(f'{self.uri}: PostgreSQL holds features of at most {MOST_DIMS} numbers, '
                           f'got {fingerprint["dim"]}')
        return fingerprint  # the first upsert makes the table, together with its rows

    def _connect(self) -> Any:
        return import_psycopg().connect(self._settings, **_OPTIONS)

    @contextlib.contextmanager
    def _asking(self) -> Iterator[Any]:
        """Lend a connection in a transaction, of a gallery that is the one that was opened."""
        with explained(self.uri), self._lent() as connection, connection.transaction():
            if self._seen:
                if (stored := self._stored(connection)) is None:
                    raise self._gone()
                self._check_unchanged(stored)
            yield connection

    @contextlib.contextmanager
    def _lent(self) -> Iterator[Any]:
        from psycopg_pool import PoolTimeout
        pool = self._pooled()
        try:
            connection = pool.getconn(_SOON)
        except PoolTimeout:
            self._connect().close()  # where no server answers, this says why
            connection = pool.getconn()
        try:
            yield connection
        finally:
            pool.putconn(connection)

    def _gone(self) -> Exception:
        from psycopg.errors import UndefinedTable
        return UndefinedTable(f'{self._table} does not exist')

    def _pooled(self) -> Any:
        if self._pool is None:
            from pgvector.psycopg import register_vector
            from psycopg_pool import ConnectionPool
            logging.getLogger('psycopg.pool').setLevel(logging.ERROR)  # it tells every retry
            self._connect().close()  # the pool would try for long and not say why
            self._pool = ConnectionPool(
                self._settings, min_size=0, max_size=_CONNECTIONS, max_idle=60, open=True,
                kwargs=_OPTIONS, configure=register_vector, check=ConnectionPool.check_connection)
        return self._pool

    def _close(self) -> None:
        if self.__dict__.get('_pool') is not None:
            self._pool.close()

    def _stored(self, connection: Any) -> dict[str, Any] | None:
        """Read the fingerprint that is stored now; None where there is no table."""
        about = read_comment(connection, self._table)
        if about is None:
            return None
        try:
            return check_fingerprint(about[_FINGERPRINT])
        except (KeyError, TypeError, ValueError):
            raise BadValue(f'{self.uri} is a table of PostgreSQL, but no gallery of mmtbps'
                           ) from None

    def _write_comment(self, connection: Any, about: dict[str, Any]) -> None:
        from psycopg.sql import SQL, Literal
        connection.execute(SQL(f'comment on table {self._table} is {{}}').format(
            Literal(json.dumps(about))))

    def _read_note(self) -> str | None:
        with self._asking() as connection:
            return (read_comment(connection, self._table) or {}).get(_NOTE)

    def _write_note(self, text: str) -> None:
        with self._asking() as connection:
            about = read_comment(connection, self._table) or {}
            self._write_comment(connection, {**about, _NOTE: text})

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep all others of the gallery's name from what needs to be alone."""
        with self._asking() as connection:
            self._lock(connection)
            yield

    def _lock(self, connection: Any) -> None:
        connection.execute("select pg_advisory_xact_lock(hashtext('mmtbps'), hashtext(%s))",
                           [self._table])

    def _check_limits(self, entries: Sequence[GalleryEntry]) -> None:
        check_sizes(entries)

    def _upsert(self, entries: list[GalleryEntry], vectors: np.ndarray) -> None:
        make_stage, fill_stage = stage()
        try:
            with self._asking() as connection:
                if not self._seen:
                    self._begin(connection)
                connection.execute(make_stage)
                with connection.cursor().copy(fill_stage) as copy:
                    copy.set_types(COLUMNS.values())
                    for row in rows_of(entries, vectors):
                        copy.write_row(row)
                connection.execute(upsert(self._table, has_numbers(connection, self._table)))
        except BaseException:
            self._begun = self._seen  # what was to be the beginning has not come to its end
            raise
        self._seen = True

    def _begin(self, connection: Any) -> None:
        """Create the table, unless another process has done so."""
        self._lock(connection)
        if (stored := self._stored(connection)) is not None:
            self._take(stored)
            return
        for statement in creation(self._table, self.dim):
            connection.execute(statement)
        self._write_comment(connection, {_FINGERPRINT: self.fingerprint})

    def _delete_ids(self, ids: list[str]) -> int:
        return self._remove('where id = any(%s::text[])', [ids])

    def _delete_where(self, conditions: tuple[Condition, ...]) -> int:
        return self._remove(*where_clause(conditions))

    def _remove(self, clause: str, values: list[Any]) -> int:
        # In the order of their ids, as rows are written, so that no two calls wait for each other.
        with self._asking() as connection:
            return connection.execute(
                f'with {GOING} as (select id from {self._table} {clause} order by id for update) '
                f'delete from {self._table} using {GOING} where {self._table}.id = {GOING}.id',
                values).rowcount

    def _search(self, vectors: np.ndarray, topk: int,
                conditions: tuple[Condition, ...]) -> list[list[Hit]]:
        with self._asking() as connection:
            indexed = self._index.helps(connection, topk, conditions)
            found = [self._nearest(connection, vector, topk, conditions, indexed)
                     for vector in vectors]
        return [[Hit(self._read(text, feature.to_numpy()), score, feature=feature.to_numpy())
                 for text, feature, score in rows] for rows in found]

    def _nearest(self, connection: Any, vector: np.ndarray, topk: int,
                 conditions: tuple[Condition, ...], indexed: bool) -> list[tuple]:
        clause, values = where_clause(conditions)
        asked = f'select entry, vector, -(vector <#> %s) from {self._table} {clause} order by {{}}'
        if indexed:
            rows = connection.execute(
                f'{asked.format(self._index.order(self.dim))} limit %s',
                [vector, *values, vector, topk]).fetchall()
            if len(rows) == topk:  # else it may have given up before it found all
                return rows
        # Added to, so that no index takes part.
        return connection.execute(f'{asked.format("(vector <#> %s) + 0")} limit %s',
                                  [vector, *values, vector, topk]).fetchall()

    def _entries(self, conditions: tuple[Condition, ...]) -> Iterator[GalleryEntry]:
        return self._pages(*where_clause(conditions))

    def _pages(self, clause: str, values: list[Any]) -> Iterator[GalleryEntry]:
        rows: list[tuple] = [('', '')]
        start = 'where id > %s' if not clause else f'{clause} and id > %s'
        while rows:
            with self._asking() as connection:
                rows = connection.execute(
                    f'select id, entry from {self._table} {start} order by id limit {_PAGE}',
                    [*values, rows[-1][0]]).fetchall()
            yield from (self._read(text) for _, text in rows)
            if len(rows) < _PAGE:
                return

    def _changes(self, since: Mark | None) -> tuple[list[GalleryEntry], Mark | None]:
        with self._asking() as connection:
            texts, mark = written_since(connection, self._table, since)
        return [self._read(text) for text in texts], mark

    def _get(self, ids: list[str]) -> dict[str, tuple[GalleryEntry, np.ndarray]]:
        with self._asking() as connection:
            rows = connection.execute(
                f'select entry, vector from {self._table} where id = any(%s::text[])',
                [ids]).fetchall()
        found = ((self._read(text, feature.to_numpy()), feature.to_numpy())
                 for text, feature in rows)
        return {entry.id: (entry, vector) for entry, vector in found}

    def _read(self, text: str, vector: np.ndarray | None = None) -> GalleryEntry:
        try:
            return unseal(text, vector)
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
            self._damaged(f'an entry: {first_line(error)}', error)

    def _count(self, conditions: tuple[Condition, ...]) -> int:
        clause, values = where_clause(conditions)
        return self._value(f'select count(*) from {self._table} {clause}', values)

    def _value(self, asked: str, values: list[Any]) -> Any:
        with self._asking() as connection:
            return connection.execute(asked, values).fetchone()[0]

    def _has_value(self, condition: Condition) -> bool:
        clause, values = has_value(condition)
        return self._value(f'select exists (select from {self._table} {clause})', values)

    def _with_contents(self, hashes: tuple[str, ...]) -> Iterator[GalleryEntry]:
        return self._pages('where sha256 = any(%s::text[])', [list(hashes)])

    def _sample(self, count: int) -> list[GalleryEntry]:
        with self._asking() as connection:  # the order of their contents' hashes is none
            rows = connection.execute(f'select entry from {self._table} order by sha256 limit %s',
                                      [8 * count]).fetchall()
        found = {entry.path: entry for entry in (self._read(text) for text, in rows)}
        return list(found.values())[:count]

    def _facets(self) -> Facets:
        with self._asking() as connection:
            count, cameras, low, high, tracks = connection.execute(
                'select count(*), array_agg(distinct camera) filter (where camera is not null), '
                f'min(time), max(time), count(track) > 0 from {self._table}').fetchone()
        return Facets(count, tuple(sorted(cameras or ())), None if low is None else (low, high),
                      tracks)
