"""LanceDB galleries, on disk or in an object store, for many readers and writers."""

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import reduce, wraps
from operator import and_, or_
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from mmtbps.errors import BadValue, MissingPackage
from mmtbps.fileio import explain_disk_full, folder_size

from .base import BaseGallery, GalleryEntry, GalleryUnreadable, Hit
from .filters import KINDS, Condition, OneOf
from .write_lock import gallery_lock

__all__ = ['LanceGallery']

#: From so many entries on an index pays; below, every search reads all features.
INDEX_FROM = 20_000
#: The index keeps a byte a number; so many times topk are compared again in full.
REFINE = 10
_ALL_PARTITIONS = 1 << 20
_KEEP_VERSIONS = timedelta(minutes=1)  # longer than any search still reads an older one
_MOST_HITS = (1 << 31) // REFINE - 1  # more than any table has; LanceDB counts in 32 bits
_CHUNK = 5_000  # ids in one expression


Method = TypeVar('Method', bound=Callable[..., Any])


def _explained(method: Method) -> Method:
    """Raise errors of the storage, which LanceDB gives as RuntimeError, in plain words.

    That of a full disk is `DiskFull`, any other `GalleryUnreadable`.
    """
    @wraps(method)
    def explained(self: 'LanceGallery', *args: Any, **keywords: Any) -> Any:
        try:
            return method(self, *args, **keywords)
        except RuntimeError as error:
            if not re.match('lance ?error', str(error), re.IGNORECASE):
                raise
            to_store = sum(getattr(value, 'nbytes', 0) for value in args)  # features
            if (full := explain_disk_full(error, self.uri, to_store)) is not error:
                raise full from error
            reason = re.sub(r'^lance error: |, \S+\.rs:\d+:\d+', '', str(error))
            raise GalleryUnreadable(
                f'{self.uri}: LanceDB cannot read or write it ({reason}). Check the address; if '
                'files are damaged or gone, take the gallery from a backup or index the images '
                'again') from error

    return explained


class LanceGallery(BaseGallery):
    """Gallery in LanceDB: embedded, persistent, for several processes and millions of entries.

    Every call of ``upsert`` and ``delete`` is one transaction. Below `INDEX_FROM` entries the
    search is exact. Above, ``optimize`` builds an index of the features in one byte a number; a
    search looks at all of its partitions, so that no filter can starve it, and compares the best
    again in full.

    Args:
        uri: A folder whose name ends in ``.lance``, or such a place in an object store
            (``s3://bucket/people.lance``).
        fingerprint: See `BaseGallery`.

    Raises:
        ImportError: If LanceDB is missing.
    """

    @_explained
    def info(self) -> dict[str, Any]:
        local = self._local()
        indexed = self._indexed()
        return dict(kind='lance', uri=self.uri, entries=self._table.count_rows(), dim=self.dim,
                    bytes=None if local is None else folder_size(local),
                    index='none, exact' if indexed is None else f'IVF_SQ of {indexed} entries',
                    fingerprint=self.fingerprint)

    @_explained
    def optimize(self) -> None:
        from lancedb.index import BTree, IvfSq
        with self._writing():
            if self._table.count_rows() >= INDEX_FROM and self._indexed() is None:
                self._table.create_index('vector', config=IvfSq(distance_type='dot'))
                self._table.create_index('id', config=BTree())
            self._table.optimize(cleanup_older_than=_KEEP_VERSIONS)

    @_explained
    def _open(self, fingerprint: dict[str, Any] | None) -> dict[str, Any] | None:
        try:
            import lancedb
        except ImportError as error:
            raise MissingPackage('LanceGallery needs lancedb: pip install "mmtbps[search]"'
                                 ) from error
        parent, _, name = self.uri.rstrip('/').rpartition('/')
        if fingerprint is None and self._local() is not None and not self._local().exists():
            return None
        # Interval 0: every read sees what other processes have written.
        try:
            base = lancedb.connect(parent or '.', read_consistency_interval=timedelta(0))
        except ValueError as error:
            raise BadValue(f'{self.uri}: no address of LanceDB ({error})') from error
        name = name.removesuffix('.lance')
        try:
            self._table = base.open_table(name)
        except ValueError:
            if fingerprint is None:
                return None
            try:
                self._table = base.create_table(name, schema=_schema(fingerprint))
            except ValueError:  # another process was faster
                self._table = base.open_table(name)
        stored = (self._table.schema.metadata or {}).get(b'mmtbps')
        if stored is None:
            raise BadValue(f'{self.uri} is a table of LanceDB, but no gallery of mmtbps')
        return json.loads(stored)

    @_explained
    def _upsert(self, entries: list[GalleryEntry], vectors: np.ndarray) -> None:
        rows = _rows(entries, vectors, self._table.schema)
        with self._writing():
            (self._table.merge_insert('id').when_matched_update_all()
             .when_not_matched_insert_all().execute(rows))

    @_explained
    def _delete_ids(self, ids: list[str]) -> int:
        with self._writing():
            return sum(self._table.delete(some).num_deleted_rows for some in _one_of_ids(ids))

    @_explained
    def _delete_where(self, conditions: tuple[Condition, ...]) -> int:
        with self._writing():
            return self._table.delete(expression(conditions)).num_deleted_rows

    @_explained
    def _search(self, vectors: np.ndarray, topk: int,
                conditions: tuple[Condition, ...]) -> list[list[Hit]]:
        found = (self._query(vector, topk, conditions).to_arrow() for vector in vectors)
        return [[Hit(_entry(text.as_py()), 1 - distance.as_py())
                 for text, distance in zip(rows['entry'], rows['_distance'], strict=True)]
                for rows in found]

    def _query(self, vector: np.ndarray, topk: int, conditions: tuple[Condition, ...]) -> Any:
        query = (self._table.search(vector, vector_column_name='vector').distance_type('dot')
                 .nprobes(_ALL_PARTITIONS).refine_factor(REFINE).limit(min(topk, _MOST_HITS)))
        if conditions:
            query = query.where(expression(conditions), prefilter=True)
        return query.select(['entry', '_distance'])

    @_explained
    def _entries(self, conditions: tuple[Condition, ...]) -> Iterator[GalleryEntry]:
        found = self._scan(expression(conditions), ['entry'])
        return (_entry(text.as_py()) for text in found['entry'])

    @_explained
    def _get(self, ids: list[str]) -> dict[str, tuple[GalleryEntry, np.ndarray]]:
        found = {}
        for some in _one_of_ids(ids):
            rows = self._scan(some, ['entry', 'vector'])
            for text, vector in zip(rows['entry'], rows['vector'], strict=True):
                entry = _entry(text.as_py())
                found[entry.id] = entry, np.array(vector.values, np.float32)
        return found

    @_explained
    def _count(self, conditions: tuple[Condition, ...]) -> int:
        if not conditions:
            return self._table.count_rows()
        return self._scan(expression(conditions), ['id']).num_rows

    @_explained
    def _has_key(self, key: str) -> bool:
        from lancedb.expr import col, lit
        start = '\n' + json.dumps([key], ensure_ascii=False)[:-1] + ', '
        query = self._table.search().where(col('extra').contains(lit(start)))
        return query.select(['id']).limit(1).to_arrow().num_rows > 0

    def _scan(self, where: Any, columns: list[str]) -> Any:
        query = self._table.search()
        if where is not None:
            query = query.where(where)
        return query.select(columns).to_arrow()

    def _indexed(self) -> int | None:
        """Count the entries in the index of the features, if there is one."""
        for index in self._table.list_indices():
            if index.columns == ['vector']:
                return index.num_indexed_rows
        return None

    def _local(self) -> Path | None:
        return None if '://' in self.uri else Path(self.uri)

    def _writing(self) -> contextlib.AbstractContextManager:
        # Without turns, two writers that insert one new id leave it twice, and a crowd of writers
        # fails with conflicts. An object store has no lock: it must have one writer.
        local = self._local()
        return contextlib.nullcontext() if local is None else gallery_lock(local)


def expression(conditions: Sequence[Condition]) -> Any:
    """Convert a filter to an expression of LanceDB; ``None`` if nothing is asked for."""
    from lancedb.expr import col, lit

    def one(condition: Condition) -> Any:
        if condition.free:
            return reduce(or_, [col('extra').contains(lit(f'\n{_tag(condition.key, value)}\n'))
                                for value in condition.values])
        column = col(condition.key)
        if isinstance(condition, OneOf):
            return column.isin(list(condition.values))
        ends = [column >= lit(condition.low)] if condition.low is not None else []
        return reduce(and_, ends + ([column <= lit(condition.high)]
                                    if condition.high is not None else []))

    return reduce(and_, map(one, conditions)) if conditions else None


def _one_of_ids(ids: list[str]) -> Iterator[Any]:
    from lancedb.expr import col
    return (col('id').isin(ids[start:start + _CHUNK]) for start in range(0, len(ids), _CHUNK))


def _tag(key: str, value: str) -> str:
    # JSON writes a newline as two other characters, so that one can stand between tags.
    return json.dumps([key, value], ensure_ascii=False)


def _schema(fingerprint: dict[str, Any]) -> Any:
    import pyarrow as pa
    types = {str: pa.string(), float: pa.float64(), int: pa.int64()}
    return pa.schema(
        [pa.field('id', pa.string(), nullable=False),
         pa.field('vector', pa.list_(pa.float32(), fingerprint['dim']), nullable=False),
         *(pa.field(name, types[kind]) for name, kind in KINDS.items()),
         pa.field('extra', pa.string(), nullable=False),
         pa.field('entry', pa.string(), nullable=False)],
        metadata={'mmtbps': json.dumps(fingerprint)})


def _rows(entries: list[GalleryEntry], vectors: np.ndarray, schema: Any) -> Any:
    import pyarrow as pa
    tags = [''.join(f'\n{_tag(*item)}' for item in entry.extra.items()) for entry in entries]
    return pa.table(
        {'id': [entry.id for entry in entries],
         'vector': pa.FixedSizeListArray.from_arrays(vectors.ravel(), vectors.shape[1]),
         **{name: [getattr(entry, name) for entry in entries] for name in KINDS},
         'extra': [f'{text}\n' for text in tags],
         'entry': [json.dumps(entry.to_json(), ensure_ascii=False) for entry in entries]},
        schema=schema)


def _entry(text: str) -> GalleryEntry:
    return GalleryEntry.from_json(json.loads(text))
