"""Entries of an annotation file, read one after the other."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from mmtbps.fileio import iter_json_elements, iter_json_lines
from mmtbps.records import Entry, RecordError

from .annotations import Source
from .table_files import TABLE_SUFFIXES, iter_rows

__all__ = ['read_entries']


def read_entries(source: Source, on_torn: Callable[[int], None] | None = None,
                 forms: Sequence[str] = ('list', ), may_be_empty: bool = False
                 ) -> Iterator[tuple[int, Entry]]:
    """Yield all ``(number, entry)`` of a ``.jsonl`` file or of one of the forms, numbered from 1.

    Args:
        source: The annotation file.
        on_torn: As in :func:`~mmtbps.fileio.iter_json_lines`.
        forms: Of the file: those of :func:`~mmtbps.fileio.iter_json_elements`, of which an element
            of a ``'mapping'`` becomes an entry with its key alone; and ``'table'`` for CSV, parquet
            and Arrow.
        may_be_empty: Whether the file may hold a list of nothing, as that of a split does which a
            data set lacks.

    Raises:
        RecordError: On what is broken, an entry that is no object or a file without an entry, with
            file and line or record.
    """
    path, number = source.ann_file, 0
    for number, raw in _decode(source, on_torn, forms):
        yield number, Entry(raw, f'{path}, record {number}')
    if not number and (source.has_lines or not may_be_empty):
        raise RecordError(f'{path}: no record in it; is the copy complete?')


def _decode(source: Source, on_torn: Callable[[int], None] | None, forms: Sequence[str]
            ) -> Iterator[tuple[int, Any]]:
    path = source.ann_file
    if source.has_lines:
        yield from iter_json_lines(path, on_torn)
    elif path.suffix.lower() in TABLE_SUFFIXES:
        if 'table' not in forms:
            raise RecordError(f'{path}: this data set reads JSON, no {path.suffix} file; '
                              'ImageTextPairs reads such tables, convert-data parquet')
        yield from enumerate(iter_rows(path), start=1)
    else:
        elements = iter_json_elements(path, [form for form in forms if form != 'table'])
        for number, (key, value) in enumerate(elements, start=1):
            yield number, value if key is None else {key: value}
