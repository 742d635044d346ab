"""Table of a LanceDB gallery: its columns, rows and filters."""

import json
import os
from collections.abc import Iterator, Sequence
from functools import reduce
from operator import and_, or_
from typing import Any

import numpy as np

from mmtbps.errors import MissingPackage

from .caption_words import Words, spaced_words
from .entries import GalleryEntry, seal
from .filters import KINDS, Condition, OneOf
from .fingerprint import CAPTIONS

__all__ = ['NOTE', 'expression', 'has_columns', 'has_value', 'import_lancedb', 'note_of',
           'one_of_ids', 'rows_of', 'rows_of_contents', 'schema_of']

#: Key of the note, which a table keeps with this column.
NOTE, _NOTED = b'mmtbps.note', 'entry'
_CHUNK = 5_000  # ids in one expression


def expression(conditions: Sequence[Condition]) -> Any:
    """Convert a filter to an expression of LanceDB; ``None`` if nothing is asked for."""
    from lancedb.expr import col, lit

    def one(condition: Condition) -> Any:
        if isinstance(condition, Words):
            return reduce(or_, [reduce(and_, [col('caption').contains(lit(part)) for part in parts])
                                for parts in condition.choices])
        if condition.free:
            return reduce(or_, [col('extra').contains(lit(f'\n{tag(condition.key, value)}\n'))
                                for value in condition.values])
        column = col(condition.key)
        if isinstance(condition, OneOf):
            return column.isin(list(condition.values))
        ends = [column >= lit(condition.low)] if condition.low is not None else []
        return reduce(and_, ends + ([column <= lit(condition.high)]
                                    if condition.high is not None else []))

    return reduce(and_, map(one, conditions)) if conditions else None


def one_of_ids(ids: list[str]) -> Iterator[Any]:
    """Yield expressions that hold for some of the ids each."""
    from lancedb.expr import col
    return (col('id').isin(ids[start:start + _CHUNK]) for start in range(0, len(ids), _CHUNK))


def has_value(condition: Condition) -> Any:
    """Write a filter of the rows that have any value of the key of a condition."""
    from lancedb.expr import col, lit
    if not condition.free:
        return f'{condition.key} IS NOT NULL'
    start = '\n' + json.dumps([condition.key], ensure_ascii=False)[:-1] + ', '
    return col('extra').contains(lit(start))


def rows_of_contents(rows: Any, hashes: Sequence[str]) -> Any:
    """Choose the rows of contents from an Arrow table of entries, without reading each.

    Args:
        rows: With the column of the entries.
        hashes: SHA-256 of files.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    found = pc.extract_regex(rows['entry'], '"sha256": "(?P<sha256>[^"]*)"')
    return rows.filter(pc.is_in(pc.struct_field(found, 'sha256'), pa.array(hashes, pa.string())))


def note_of(schema: Any) -> str | None:
    """Read the note that a table keeps."""
    text = (schema.field(_NOTED).metadata or {}).get(NOTE)
    return None if text is None else text.decode()


def tag(key: str, value: str) -> str:
    """Write a key of one's own with its value, to be found in the column of all of them."""
    # JSON writes a newline as two other characters, so that one can stand between tags.
    return json.dumps([key, value], ensure_ascii=False)


def schema_of(fingerprint: dict[str, Any]) -> Any:
    """Make the schema of the table of a new gallery, which holds the fingerprint.

    One with captions has a column of their words; so tables without, as of earlier versions, stay
    as they are.
    """
    import pyarrow as pa
    captioned = [pa.field('caption', pa.string())] if CAPTIONS in fingerprint else []
    types = {str: pa.string(), float: pa.float64(), int: pa.int64()}
    return pa.schema(
        [pa.field('id', pa.string(), nullable=False),
         pa.field('vector', pa.list_(pa.float32(), fingerprint['dim']), nullable=False),
         *(pa.field(name, types[kind]) for name, kind in KINDS.items()),
         *captioned, pa.field('extra', pa.string(), nullable=False),
         pa.field('entry', pa.string(), nullable=False)],
        metadata={'mmtbps': json.dumps(fingerprint)})


def has_columns(schema: Any, fingerprint: dict[str, Any]) -> bool:
    """Tell whether a table has the columns of a gallery, and no others."""
    wanted = {field.name: field.type for field in schema_of(fingerprint)}
    return wanted == {field.name: field.type for field in schema}


def rows_of(entries: list[GalleryEntry], vectors: np.ndarray, schema: Any) -> Any:
    """Make the rows of entries with their ``(N, dim)`` features."""
    import pyarrow as pa
    tags = [''.join(f'\n{tag(*item)}' for item in entry.extra.items()) for entry in entries]
    captions = [each.caption and spaced_words(each.caption) for each in entries]
    return pa.table(
        {'id': [entry.id for entry in entries],
         'vector': pa.FixedSizeListArray.from_arrays(vectors.ravel(), vectors.shape[1]),
         **{name: [getattr(entry, name) for entry in entries] for name in KINDS},
         **({'caption': captions} if 'caption' in schema.names else {}),
         'extra': [f'{text}\n' for text in tags],
         'entry': [seal(*pair) for pair in zip(entries, vectors, strict=True)]},
        schema=schema)


def import_lancedb() -> Any:
    """Import LanceDB, told to say less.

    Raises:
        MissingPackage: It is not installed.
    """
    # Its library writes warnings to the standard error, such as 25 on clusters without a member
    # when an index is built: they are no faults, and nothing a user could mend.
    os.environ.setdefault('LANCEDB_LOG', 'error')
    try:
        import lancedb
    except ImportError as error:
        raise MissingPackage('LanceGallery needs lancedb: pip install "mmtbps[search]"'
                             ) from error
    return lancedb
