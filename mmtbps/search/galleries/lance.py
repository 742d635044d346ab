"""LanceDB galleries, on disk or in an object store, for many readers and writers."""

import contextlib
import json
import re
import warnings
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from mmtbps.errors import BadValue, first_line
from mmtbps.fileio import folder_size, why_no_file

from .base import BaseGallery, GalleryEntry, Hit
from .entries import unseal
from .filters import Condition
from .fingerprint import check_fingerprint
from .lance_errors import explained, is_of_storage, reading
from .lance_table import (
    NOTE,
    expression,
    has_columns,
    has_value,
    import_lancedb,
    note_of,
    one_of_ids,
    rows_of,
    rows_of_contents,
    schema_of,
)
from .note_places import NoteFile, NotePlace, StoredNote
from .write_lock import gallery_lock

__all__ = ['LanceGallery']

#: From so many entries on an index pays; below, every search reads all features.
INDEX_FROM = 20_000
#: The index keeps a byte a number; so many times topk are compared again in full.
REFINE = 10
#: Bytes of what a process remembers of versions and files. By default LanceDB keeps a gigabyte,
#: which a process reaches that reads while others write.
METADATA_CACHE = 32 << 20
_ALL_PARTITIONS = 1 << 20
_MOST_HITS = (1 << 31) // REFINE - 1  # more than any table has; LanceDB counts in 32 bits
_HINT = '_versions/latest_version_hint.json'
_ENDING, _NAME = '.lance', re.compile(r'[A-Za-z0-9_.-]+')


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

    @property
    def note(self) -> NotePlace:
        """File in its folder; in an object store, a text in the schema of the table."""
        if self._local() is not None:
            return NoteFile(self.uri)
        return StoredNote(self.uri, self._is_there, self._read_note, self._write_note)

    @reading
    def info(self) -> dict[str, Any]:
        self._require()
        local = self._local()
        indexed = self._indexed()
        return dict(kind='lance', uri=self.uri, entries=self._table.count_rows(), dim=self.dim,
                    bytes=None if local is None else folder_size(local),
                    index='none, exact' if indexed is None else f'IVF_SQ of {indexed} entries',
                    fingerprint=self.fingerprint)

    @explained
    def optimize(self) -> None:
        from lancedb.index import BTree, IvfSq
        if not self._is_there():
            return
        with self._writing(), warnings.catch_warnings():
            # Readers of a former version are told to fail: ours read again.
            warnings.filterwarnings('ignore', 'optimize.cleanup_older_than')
            anew = self._holds_what_went()
            if anew:  # LanceDB marks a row as gone, and leaves it in the file
                self._table.update(values_sql={'id': 'id'})
            if self._table.count_rows() >= INDEX_FROM and (anew or self._indexed() is None):
                self._table.create_index('vector', config=IvfSq(distance_type='dot'))
                self._table.create_index('id', config=BTree())
            elif anew:
                for index in self._table.list_indices():
                    self._table.drop_index(index.name)
            self._table.optimize(cleanup_older_than=timedelta(0),
                                 delete_unverified=self._local() is not None)

    @explained
    def _open(self, fingerprint: dict[str, Any] | None) -> dict[str, Any] | None:
        lancedb = import_lancedb()
        parent, _, name = self.uri.rstrip('/').rpartition('/')
        local = self._local()
        if fingerprint is None and local is not None and not local.exists():
            return None
        if local is not None:
            self._check_files(local)
        # Interval 0: every read sees what other processes have written.
        try:
            self._session = lancedb.Session(metadata_cache_size_bytes=METADATA_CACHE)
            base = lancedb.connect(parent or '.', read_consistency_interval=timedelta(0),
                                   session=self._session)
        except ValueError as error:
            raise BadValue(f'{self.uri}: no address of LanceDB ({error})') from error
        name = name.removesuffix(_ENDING)
        try:
            self._table = base.open_table(name)
        except ValueError as error:
            if is_of_storage(error):
                raise
            if local is not None and any(Path(local, 'data').glob('*')):
                # The list of versions comes before all data.
                self._damaged('no version of it is listed, and data is there')
            if fingerprint is None:
                return None
            try:
                self._table = base.create_table(name, schema=schema_of(fingerprint))
            except ValueError:  # another process was faster
                self._table = base.open_table(name)
        stored = self._stored()
        if not has_columns(self._table.schema, stored):
            self._damaged('its table has other columns than a gallery')
        self._check_version(local)
        if self._table.version > 1 or self._table.count_rows():
            return stored
        if fingerprint is None:
            return None  # its first upsert has not come to an end
        if stored != fingerprint:
            with self._writing():
                if not self._table.count_rows():
                    self._table = base.create_table(name, schema=schema_of(fingerprint),
                                                    mode='overwrite')
        return self._stored()

    @classmethod
    def check_name(cls, uri: str) -> None:
        name = uri.rstrip('/').rpartition('/')[2].removesuffix(_ENDING)
        if not _NAME.fullmatch(name):
            raise BadValue(f'{uri}: a LanceDB gallery has a name of letters (A-Z, a-z), '
                           f'digits, "_", "-" and ".", got {name!r}; the folders above it may have '
                           'any')

    def _stored(self) -> dict[str, Any]:
        """Read the fingerprint that is stored now."""
        stored = (self._table.schema.metadata or {}).get(b'mmtbps')
        if stored is None:
            raise BadValue(f'{self.uri} is a table of LanceDB, but no gallery of mmtbps')
        try:
            return check_fingerprint(json.loads(stored))
        except (RecursionError, TypeError, ValueError) as error:
            self._damaged(f'its fingerprint: {error}', error)

    @reading
    def _read_note(self) -> str | None:
        return note_of(self._table.schema)

    @explained
    def _write_note(self, text: str) -> None:
        self._table.replace_field_metadata('entry', {NOTE.decode(): text})

    def _check_files(self, folder: Path) -> None:
        """Refuse a pipe, which LanceDB waits for, and a link, which leads elsewhere."""
        for path in folder.rglob('*'):
            kind = 'a link' if path.is_symlink() else why_no_file(path, '')
            if kind and not (path.is_dir() and not path.is_symlink()):
                self._damaged(f'{path.relative_to(folder)} is {kind}')

    def _check_version(self, local: Path | None) -> None:
        """Refuse an older version that is the newest only because a later one is gone."""
        try:
            latest = json.loads(Path(local or '', _HINT).read_bytes())['version']
            gone = local is not None and latest > self._table.version
        except (KeyError, OSError, TypeError, ValueError):
            return  # LanceDB does without
        if gone:
            self._damaged(f'its version {latest} is gone')

    def _check_model(self) -> None:
        if self._begun:
            self._check_unchanged(self._stored())

    @explained
    def _upsert(self, entries: list[GalleryEntry], vectors: np.ndarray) -> None:
        with self._writing():
            rows = rows_of(entries, vectors, self._table.schema)
            (self._table.merge_insert('id').when_matched_update_all()
             .when_not_matched_insert_all().execute(rows))

    @explained
    def _delete_ids(self, ids: list[str]) -> int:
        with self._writing():
            return sum(map(self._remove, one_of_ids(ids)))

    @explained
    def _delete_where(self, conditions: tuple[Condition, ...]) -> int:
        with self._writing():
            return self._remove(expression(conditions))

    def _remove(self, chosen: Any) -> int:
        """Remove rows. LanceDB keeps the words of the filter, so one that fits none is not run."""
        if not self._scan(chosen, ['id']).num_rows:
            return 0
        return self._table.delete(chosen).num_deleted_rows

    @reading
    def _search(self, vectors: np.ndarray, topk: int,
                conditions: tuple[Condition, ...]) -> list[list[Hit]]:
        found = (self._query(vector, topk, conditions).to_arrow() for vector in vectors)
        return [[Hit(entry, 1 - distance.as_py(), feature=feature)
                 for (entry, feature), distance in zip(
                     self._read(rows), rows['_distance'], strict=True)] for rows in found]

    def _query(self, vector: np.ndarray, topk: int, conditions: tuple[Condition, ...]) -> Any:
        query = (self._table.search(vector, vector_column_name='vector').distance_type('dot')
                 .nprobes(_ALL_PARTITIONS).refine_factor(REFINE).limit(min(topk, _MOST_HITS)))
        if conditions:
            query = query.where(expression(conditions), prefilter=True)
        return query.select(['entry', 'vector', '_distance'])

    @reading
    def _entries(self, conditions: tuple[Condition, ...]) -> Iterator[GalleryEntry]:
        rows = self._scan(expression(conditions), ['entry'])
        return (entry for entry, _ in self._read(rows))  # one at a time: as objects they are large

    @reading
    def _changes(self, since: tuple[int, int] | None) -> tuple[list[GalleryEntry], tuple[int, int]]:
        """Read what was written since: rows are numbered on, also those that are moved."""
        version = self._table.version
        first = since[1] if since and since[0] <= version else 0
        if since and since[0] == version:
            return [], since
        rows = self._table.search().with_row_id(True).where(f'_rowid >= {first}').select(
            ['entry']).to_arrow()
        first = max([first, *(number + 1 for number in rows['_rowid'].to_pylist())])
        return [entry for entry, _ in self._read(rows)], (version, first)

    @reading
    def _get(self, ids: list[str]) -> dict[str, tuple[GalleryEntry, np.ndarray]]:
        return {entry.id: (entry, vector) for some in one_of_ids(ids)
                for entry, vector in self._read(self._scan(some, ['entry', 'vector']))}

    def _read(self, rows: Any) -> Iterator[tuple[GalleryEntry, np.ndarray | None]]:
        """Read entries, and features where they were asked for, and compare their checksums."""
        vectors = rows['vector'] if 'vector' in rows.column_names else [None] * rows.num_rows
        for text, vector in zip(rows['entry'], vectors, strict=True):
            try:
                feature = None if vector is None else np.array(vector.values, np.float32)
                yield unseal(text.as_py(), feature), feature
            except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
                self._damaged(f'an entry: {first_line(error)}', error)

    @reading
    def _count(self, conditions: tuple[Condition, ...]) -> int:
        if not conditions:
            return self._table.count_rows()
        # Not count_rows, whose text of a condition has no place for two quotes in a row.
        return self._scan(expression(conditions), ['id']).num_rows

    @reading
    def _has_value(self, condition: Condition) -> bool:
        query = self._table.search().where(has_value(condition))
        return query.select(['id']).limit(1).to_arrow().num_rows > 0

    @reading
    def _with_contents(self, hashes: tuple[str, ...]) -> Iterator[GalleryEntry]:
        rows = rows_of_contents(self._scan(None, ['entry']), hashes)
        return (entry for entry, _ in self._read(rows))

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

    def _holds_what_went(self) -> bool:
        """Tell whether files hold rows that were removed or replaced, or what chose them."""
        # Where all rows of a file went there is no list of them, and index and log have them still.
        rows = [int(version['metadata']['total_rows']) for version in self._table.list_versions()]
        if any(after < before for before, after in pairwise(rows)):
            return True
        if (local := self._local()) is not None:
            return any(Path(local, '_deletions').glob('*'))
        self._table.optimize()  # to as few files as can be
        files = self._table.stats()['fragment_stats']
        return files['num_fragments'] > 1 or (
            files['lengths']['max'] != self._table.count_rows())

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        # Without turns, two writers that insert one new id leave it twice, and a crowd of writers
        # fails with conflicts. An object store has no lock: it must have one writer.
        local = self._local()
        with contextlib.nullcontext() if local is None else gallery_lock(local):
            self._check_model()
            yield
