"""Milvus galleries: collections of a server, alone or a cluster."""

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from typing import Any

import numpy as np

from mmtbps.errors import BadValue, MissingPackage, first_line

from .base import BaseGallery, GalleryEntry, GalleryUnreadable, Hit
from .faults import NoServer
from .filters import Condition
from .fingerprint import check_fingerprint
from .milvus_address import channel_options, proxy_hint, split_address
from .milvus_columns import FactColumns, check_sizes, columns_of, one_of
from .note_places import NotePlace, StoredNote

__all__ = ['MilvusGallery', 'NoServer']

_PROPERTY, _NOTE = 'mmtbps.fingerprint', 'mmtbps.note'
_MOST_HITS = 16_384  # and queries of one call; set by Milvus
_CHUNK = 1_000  # ids in one expression
_CHOICES = 100  # values of a chain of `or`
#: Milvus Lite reads its log when it starts, and cuts it off when it writes its memory to disk.
_NOT_FOUND = 100
_FULL = ('. Its disk is full: make room and start the server again before anything is written. '
         'What it could not bring to disk is in its log, and in no answer until then')


class _NamedCalls:
    """Client of Milvus whose refusals in mid-call name the gallery.

    Args:
        client: of pymilvus.
        uri: of the gallery.
    """

    def __init__(self, client: Any, uri: str) -> None:
        self._client, self._uri = client, uri

    def __getattr__(self, name: str) -> Callable:
        call = getattr(self._client, name)

        def named(*args: Any, **options: Any) -> Any:
            from pymilvus import MilvusException
            try:
                answer = call(*args, **options)
            except MilvusException as error:
                hint = _FULL if 'no space left' in str(error).lower() else (
                    '. Its collection does not exist any more' if error.code == _NOT_FOUND else '')
                raise GalleryUnreadable(f'{self._uri}: the Milvus server refused, or ended, '
                                        f'{name!r} ({first_line(error, 200)}){hint}') from error
            return _NamedCalls(answer, self._uri) if name == 'query_iterator' else answer

        return named


def _of_one_model(method: Callable) -> Callable:
    """Compare the model of the collection with the one that the gallery was opened with."""
    @wraps(method)
    def compared(self: 'MilvusGallery', *args: Any) -> Any:
        if self._begun:
            self._check_unchanged(self._stored())
        return method(self, *args)

    return compared


class MilvusGallery(BaseGallery):
    """Gallery on a Milvus server that runs already; it scales out where one machine ends.

    Reads are of strong consistency: a search sees all that was written before.

    Args:
        uri: ``http://host:port/collection`` or ``http://host:port/database/collection``. The
            environment variable ``MILVUS_TOKEN`` holds ``user:password`` or a token, if one is
            needed.
        fingerprint: See `BaseGallery`.
        index: Kind of index of a new collection; ``FLAT`` is exact.
        index_params: Of a new index, e.g. ``dict(M=16, efConstruction=200)`` for ``HNSW``.
        search_params: Of every search, e.g. ``dict(ef=400)``.

    Raises:
        ImportError: If pymilvus is missing.
        NoServer: No server answers.
        GalleryUnreadable: The server goes away later; every call may raise it.
    """

    address_form = 'http://host:port/collection of Milvus'

    def __init__(self, uri: str, fingerprint: dict[str, Any] | None = None, index: str = 'FLAT',
                 index_params: dict[str, Any] | None = None,
                 search_params: dict[str, Any] | None = None) -> None:
        self._index, self._index_params = index, index_params or {}
        self._search_params = search_params or {}
        super().__init__(uri, fingerprint)

    @property
    def note(self) -> NotePlace:
        """Text in the properties of the collection."""
        return StoredNote(self.uri, self._is_there, self._read_note, self._write_note)

    @classmethod
    def check_name(cls, uri: str) -> None:
        split_address(uri)

    @_of_one_model
    def info(self) -> dict[str, Any]:
        self._require()
        index = self._client.describe_index(self._name, 'vector')
        return dict(kind='milvus', uri=self.uri, entries=self._count(()), dim=self.dim, bytes=None,
                    index=index['index_type'], fingerprint=self.fingerprint)

    @_of_one_model
    def optimize(self) -> None:
        if not self._is_there():
            return
        self._client.flush(self._name)
        self._client.compact(self._name)

    def _open(self, fingerprint: dict[str, Any] | None) -> dict[str, Any] | None:
        try:
            from pymilvus import MilvusClient, MilvusException
        except ImportError as error:
            raise MissingPackage('MilvusGallery needs pymilvus: pip install "mmtbps[milvus]"'
                                 ) from error
        logging.getLogger('pymilvus').setLevel(logging.CRITICAL)  # it tells all that it raises
        server, database, self._name = split_address(self.uri)
        try:
            self._client = _NamedCalls(MilvusClient(
                server, token=os.environ.get('MILVUS_TOKEN', ''), db_name=database, timeout=10,
                grpc_options=channel_options(server)), self.uri)
        except MilvusException as error:
            raise NoServer(f'{self.uri}: no Milvus server lets us in ({error})'
                           f'{proxy_hint(server)}') from error
        if not self._client.has_collection(self._name):
            if fingerprint is None:
                return None
            self._create(fingerprint)
        stored = self._stored()
        self._client.load_collection(self._name)
        return stored

    def _stored(self) -> dict[str, Any]:
        """Read the fingerprint that is stored now, and look for the columns of the collection."""
        about = self._client.describe_collection(self._name)
        self._columns = columns_of([field['name'] for field in about['fields']])
        try:
            return check_fingerprint(
                json.loads(about['properties'].get(_PROPERTY) or about['description']))
        except (TypeError, ValueError):
            raise BadValue(f'{self.uri} is a collection of Milvus, but no gallery of mmtbps'
                           ) from None

    def _create(self, fingerprint: dict[str, Any]) -> None:
        from pymilvus import DataType
        text = json.dumps(fingerprint)
        schema = self._client.create_schema(description=text)
        schema.add_field('key', DataType.VARCHAR, is_primary=True, max_length=64)
        schema.add_field('vector', DataType.FLOAT_VECTOR, dim=fingerprint['dim'])
        FactColumns.add_to(schema, DataType)
        index = self._client.prepare_index_params()
        index.add_index('vector', index_type=self._index, metric_type='COSINE',
                        params=self._index_params)
        # Two places: Milvus Lite keeps properties only, a server certainly the description.
        self._client.create_collection(
            self._name, schema=schema, index_params=index, consistency_level='Strong',
            properties={_PROPERTY: text})

    def _check_limits(self, entries: Sequence[GalleryEntry]) -> None:
        check_sizes(entries)

    @_of_one_model
    def _upsert(self, entries: list[GalleryEntry], vectors: np.ndarray) -> None:
        step = max(1, (1 << 24) // (4 * self.dim + 4096))  # calls of some 16 MB; Milvus takes 64
        for start in range(0, len(entries), step):
            part = slice(start, start + step)
            self._client.upsert(self._name, [
                dict(key=_key(entry.id), vector=vector, extra=dict(entry.extra),
                     entry=entry.to_json(), **self._columns.row(entry))
                for entry, vector in zip(entries[part], vectors[part], strict=True)])

    @_of_one_model
    def _delete_ids(self, ids: list[str]) -> int:
        count = 0
        for some in _keys(ids):
            # The server counts what it was asked to remove, also what is not there.
            count += len(self._client.get(self._name, some, output_fields=['key']))
            self._client.delete(self._name, ids=some)
        return count

    @_of_one_model
    def _delete_where(self, conditions: tuple[Condition, ...]) -> int:
        count = self._count(conditions)
        if count:
            self._client.delete(self._name, filter=self._columns.expression(conditions))
        return count

    @_of_one_model
    def _search(self, vectors: np.ndarray, topk: int,
                conditions: tuple[Condition, ...]) -> list[list[Hit]]:
        if topk > _MOST_HITS:
            raise BadValue(f'{self.uri}: Milvus gives at most {_MOST_HITS} hits a query, asked for '
                           f'{topk}: ask for fewer, or in several parts by a filter')
        step, asked = max(1, _MOST_HITS // topk), self._columns.expression(conditions)
        return [hits for start in range(0, len(vectors), step)
                for hits in self._nearest(vectors[start:start + step], topk, asked)]

    def _nearest(self, vectors: np.ndarray, topk: int, asked: str) -> list[list[Hit]]:
        answers = self._client.search(
            self._name, data=list(vectors), limit=topk, filter=asked,
            search_params=dict(metric_type='COSINE', params=self._search_params),
            output_fields=['entry'])
        return [[Hit(self._read(hit['entity']['entry']), hit['distance'])
                 for hit in answer] for answer in answers]

    @_of_one_model
    def _entries(self, conditions: tuple[Condition, ...]) -> Iterator[GalleryEntry]:
        return self._pages(self._columns.expression(conditions))

    def _pages(self, asked: str) -> Iterator[GalleryEntry]:
        pages = self._client.query_iterator(self._name, filter=asked, batch_size=_CHUNK,
                                            output_fields=['entry'])
        try:
            while page := pages.next():
                yield from (self._read(row['entry']) for row in page)
        finally:
            pages.close()

    @_of_one_model
    def _get(self, ids: list[str]) -> dict[str, tuple[GalleryEntry, np.ndarray]]:
        rows = [row for some in _keys(ids) for row in self._client.get(
            self._name, some, output_fields=['entry', 'vector'])]
        found = ((self._read(row['entry']), np.array(row['vector'])) for row in rows)
        return {entry.id: (entry, vector) for entry, vector in found}

    def _read(self, values: Any) -> GalleryEntry:
        try:
            return GalleryEntry.from_json(values)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            self._damaged(f'an entry: {first_line(error)}', error)

    @_of_one_model
    def _count(self, conditions: tuple[Condition, ...]) -> int:
        answer = self._client.query(self._name, filter=self._columns.expression(conditions),
                                    output_fields=['count(*)'])
        return answer[0]['count(*)']

    @_of_one_model
    def _has_value(self, condition: Condition) -> bool:
        asked = self._columns.known(condition)
        return bool(self._client.query(self._name, filter=asked, limit=1, output_fields=['key']))

    def _with_contents(self, hashes: tuple[str, ...]) -> Iterator[GalleryEntry]:
        for start in range(0, len(hashes), _CHOICES):
            yield from self._pages(one_of(self._columns.contents,
                                          hashes[start:start + _CHOICES]))

    def _close(self) -> None:
        if client := self.__dict__.get('_client'):
            client.close()

    def _read_note(self) -> str | None:
        return self._client.describe_collection(self._name)['properties'].get(_NOTE)

    def _write_note(self, text: str) -> None:
        self._client.alter_collection_properties(self._name, properties={_NOTE: text})


def _key(id: str) -> str:
    # The client pastes primary keys into its queries as they are. These cannot do harm.
    return hashlib.sha256(id.encode()).hexdigest()


def _keys(ids: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), _CHUNK):
        yield [_key(id) for id in ids[start:start + _CHUNK]]
