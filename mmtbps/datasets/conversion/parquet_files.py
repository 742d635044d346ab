"""Parquet files as the package `datasets` and the Hugging Face hub have them."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from mmtbps.datasets.person_numbers import PersonNumbers
from mmtbps.datasets.table_files import open_arrow
from mmtbps.errors import BadValue, MissingPackage, first_line
from mmtbps.fileio import IMAGE_SUFFIXES, AnyPath, decode_json, is_remote, open_bytes
from mmtbps.fileio.parquet_images import IMAGE_COLUMNS
from mmtbps.records import Entry, RecordError

from .json_styles import JsonStyle, read_style
from .layouts import (
    LAYOUTS,
    Row,
    RowSource,
    check_captions,
    list_files,
    our_split,
    refuse_pictures,
    split_of_file,
)

__all__ = ['COLUMNS', 'read_parquet', 'write_parquet']

#: Columns that a stranger's file may have under other names.
COLUMNS = dict(image=IMAGE_COLUMNS,
               captions=('captions', 'caption', 'text', 'sentence'),
               person_id=('person_id', 'id', 'pid', 'identity', 'label'), split=('split', ),
               name=('image_id', 'file_name'))
_OPTIONAL = 'split', 'name'
_META = b'mmtbps'
#: Rows and bytes of images of a group, which a reader holds in memory.
_ROWS, _HELD = 256, 64 * 2**20
_READ = 32  # rows at a time
_FEATURES = dict(
    image=dict(_type='Image'), captions=dict(feature=dict(dtype='string', _type='Value'),
                                             _type='Sequence'),
    person_id=dict(dtype='int64', _type='Value'), split=dict(dtype='string', _type='Value'),
    number=dict(dtype='int64', _type='Value'), record=dict(dtype='string', _type='Value'))


def _packages() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingPackage('parquet needs pyarrow: pip install "mmtbps[search]"') from error
    return pyarrow, pyarrow.parquet


# ------------------------------------------------------------------ writing
def write_parquet(source: RowSource, folder: Path, embed: bool = True,
                  shard_size: int = 500_000_000) -> None:
    """Write rows as ``data/SPLIT-00000.parquet`` and so on, and a card that names the splits.

    Args:
        source: of the rows.
        folder: an empty one.
        embed: put the files of the images into the rows, byte for byte; else their paths alone.
        shard_size: bytes of images after which the next file begins.

    Raises:
        MissingPackage: pyarrow is missing.
        BadValue: there is no row.
        RecordError: a row has images beside its own, and they are to be put in.
    """
    (folder / 'data').mkdir()
    shards = _Shards(folder / 'data', _schema(source), shard_size)
    own = LAYOUTS[source.layout]
    fields = {own.image_key, own.captions_key, own.id_key, 'split'}
    try:
        for row in source.rows:
            data = row.read() if embed and row.read else None
            if data is not None:
                refuse_pictures(row)
            record = {key: None if key in fields else value for key, value in row.record.items()}
            check_letters(row)
            shards.add(row.split, dict(
                image=dict(bytes=data, path=row.image), captions=list(row.captions),
                person_id=row.person_id, split=row.split, number=row.number,
                record=json.dumps(record)), len(data or b''))
    finally:
        shards.close()
    if not shards.splits:
        raise BadValue('no record in it; is the copy complete?')
    files = ''.join(f'  - split: {split}\n    path: data/{split}-*.parquet\n'
                    for split in shards.splits)
    (folder / 'README.md').write_text(
        f'---\nconfigs:\n- config_name: default\n  data_files:\n{files}---\n', encoding='utf-8')


def _schema(source: RowSource) -> Any:
    arrow, _ = _packages()
    style = source.style and source.style._asdict()
    return arrow.schema([
        ('image', arrow.struct([('bytes', arrow.binary()), ('path', arrow.string())])),
        ('captions', arrow.list_(arrow.string())), ('person_id', arrow.int64()),
        ('split', arrow.string()), ('number', arrow.int64()), ('record', arrow.string()),
    ], metadata={
        _META: json.dumps(dict(layout=source.layout, ann_file=source.ann_file, style=style)),
        b'huggingface': json.dumps(dict(info=dict(features=_FEATURES)))})


def check_letters(row: Row) -> None:
    """Check that texts of a row hold whole letters, as columns of text do.

    Raises:
        RecordError: one holds half of a letter; the message says where.
    """
    for text in (row.image, row.split, *row.captions):
        try:
            (text or '').encode()
        except UnicodeEncodeError as error:
            raise RecordError(f'{row.where}: {text!r} holds half of a letter, which parquet cannot '
                              'hold; mend it in the source') from error


class _Shards:
    """Files of all splits, written a group of rows at a time."""

    def __init__(self, folder: Path, schema: Any, size: int) -> None:
        self.folder, self.schema, self.size = folder, schema, size
        self.splits: dict[str, int] = {}  # files of each so far
        self._open: dict[str, Any] = {}
        self._waiting: dict[str, list[dict]] = {}
        self._bytes: dict[str, int] = {}
        self._held: dict[str, int] = {}  # bytes that wait

    def add(self, split: str, row: dict[str, Any], size: int) -> None:
        """Add a row."""
        if not split.isidentifier():
            raise BadValue(f'split {split!r} is no name of a file')
        self._waiting.setdefault(split, []).append(row)
        self._bytes[split] = self._bytes.get(split, 0) + size
        self.splits.setdefault(split, 0)
        self._held[split] = self._held.get(split, 0) + size
        full = self._bytes[split] >= self.size
        if full or len(self._waiting[split]) >= _ROWS or self._held[split] >= _HELD:
            self._flush(split)
        if full:
            self._open.pop(split).close()
            self._bytes[split] = 0

    def close(self) -> None:
        """Write what waits and close all files."""
        for split in self.splits:
            self._flush(split)
        for writer in self._open.values():
            writer.close()

    def _flush(self, split: str) -> None:
        arrow, parquet = _packages()
        self._held[split] = 0
        if rows := self._waiting.pop(split, []):
            if split not in self._open:
                name = f'{split}-{self.splits[split]:05d}.parquet'
                self._open[split] = parquet.ParquetWriter(
                    self.folder / name, self.schema, write_page_checksum=True,
                    use_dictionary=['split'])  # of images one would hold a second copy
                self.splits[split] += 1
            self._open[split].write_table(arrow.Table.from_pylist(rows, schema=self.schema))


# ------------------------------------------------------------------ reading
def read_parquet(place: Path, columns: Mapping[str, str] | None = None,
                 split: str | None = None, each_image: bool = False) -> RowSource:
    """Read a parquet or Arrow file, or all parquet files of a folder.

    Args:
        place: the file or the folder.
        columns: names of columns in the file, by our names of `COLUMNS`.
        split: of rows of files without such a column, and whose names do not tell.
        each_image: whether each image is a person, whatever columns say.

    Raises:
        MissingPackage: pyarrow is missing.
        BadValue: there is no such file, or it lacks a column.
    """
    files = list_files(place, ['.parquet'])
    if not files:
        raise BadValue(f'{place}: no parquet file in it')
    found = _open(files[0])[0].metadata or {}
    layout, ann_file, style = _read_note(files[0], found.get(_META, b'{}'))
    people = PersonNumbers() if each_image else None
    rows = (row for file in files for row in _rows_of(file, columns or {}, split, people))
    if _META not in found:  # where it is, the split goes back as it was
        rows = (row._replace(split=our_split(row.split) or row.split) for row in rows)
    return RowSource(rows, layout, ann_file, style)


def _read_note(file: Path, note: bytes) -> tuple[str, str, JsonStyle | None]:
    """Read what `write_parquet` has noted: layout, name and style of the annotation file."""
    try:
        known = Entry(decode_json(note.decode()), str(file))
        layout = known.take_or_none('layout', str) or 'jsonl'
        name = known.take_or_none('ann_file', str) or LAYOUTS[layout].ann_files[0]
    except (KeyError, ValueError, RecursionError) as error:
        raise BadValue(f'{file}: its note on the layout cannot be read ({first_line(error)})'
                       ) from error
    suffix = Path(LAYOUTS[layout].ann_files[0]).suffix
    usual = LAYOUTS[layout].ann_files
    if name not in usual and (LAYOUTS[layout].by_split or not re.fullmatch(
            rf'\w[\w.-]*{re.escape(suffix)}', name)):  # it is to name a file here
        name = LAYOUTS[layout].ann_files[0]
    return layout, name, read_style(known.raw.get('style'))


def _open(file: AnyPath) -> tuple[Any, Iterator[Any]]:
    """Return the schema of a file, and its rows in batches."""
    _, parquet = _packages()
    if file.suffix.lower() == '.arrow':
        batches = iter(open_arrow(file))
        first = next(batches, None)
        if first is None:
            raise BadValue(f'{file}: no row in it')
        return first.schema, (batch.slice(start, _READ) for batch in chain([first], batches)
                              for start in range(0, batch.num_rows, _READ))
    try:
        content = parquet.ParquetFile(open_bytes(file) if is_remote(file) else file,
                                      page_checksum_verification=True)
    except (OSError, ValueError) as error:
        raise BadValue(f'{file}: no parquet file ({first_line(error)})') from error
    # A group at a time: over all of them pyarrow holds the file.
    return content.schema_arrow, (batch for group in range(content.num_row_groups)
                                  for batch in content.iter_batches(_READ, row_groups=[group]))


def _rows_of(file: Path, columns: Mapping[str, str], split: str | None,
             people: PersonNumbers | None) -> Iterator[Row]:
    schema, batches = _open(file)
    names = schema.names
    optional = _OPTIONAL if people is None else (*_OPTIONAL, 'person_id')
    used = {ours: _find_column(file, ours, columns, names, ours in optional) for ours in COLUMNS}
    if used['split'] is None:
        split = _split_of(file, split)
    for number, values in enumerate(_values_of(file, batches), 1):
        yield _row_of(values, used, split, f'{file}, row {number}', people)


def _values_of(file: Path, batches: Iterator[Any]) -> Iterator[dict[str, Any]]:
    """Yield the rows of batches of a file that is open."""
    while True:
        try:
            batch = next(batches, None)
            rows = [] if batch is None else batch.to_pylist()
        except (OSError, ValueError) as error:
            raise BadValue(f'{file}: damaged; take a new copy ({first_line(error)})') from error
        if batch is None:
            return
        yield from rows


def _find_column(file: Path, ours: str, columns: Mapping[str, str],
                 names: Iterable[str], optional: bool) -> str | None:
    asked = columns.get(ours)
    found = next((name for name in ([asked] if asked else COLUMNS[ours]) if name in names), None)
    if found is None and (asked or not optional):
        raise BadValue(f'{file}: no column {asked or " or ".join(COLUMNS[ours])} for {ours}; it '
                       f'has {", ".join(names)}')
    return found


def _split_of(file: Path, split: str | None) -> str:
    """Return the split of a file whose rows do not say it."""
    found = split or split_of_file(file)
    if found is None:
        raise BadValue(f'{file}: neither a column nor its name says the split; name one')
    return found


def _row_of(values: dict[str, Any], used: Mapping[str, str | None], split: str | None,
            where: str, people: PersonNumbers | None) -> Row:
    image, captions = values[used['image']], values[used['captions']]
    data, path = (image.get('bytes'), image.get('path')) if isinstance(image, dict) else (
        (image, None) if isinstance(image, bytes) else (None, image))
    name = values.get(used['name'])
    if not path and isinstance(name, str) and Path(name).suffix.lower() in IMAGE_SUFFIXES:
        path = name
    if not path and data is None:
        raise RecordError(f'{where}: it has neither an image nor the path of one')
    if not path:
        path = f'{hashlib.sha256(data or b"").hexdigest()[:16]}{_suffix(data)}'
    entry = Entry(dict(
        captions=[captions] if isinstance(captions, str) else captions,
        person_id=people.of(path) if people else values[used['person_id']], image=path,
        split=values[used['split']] if used['split'] else split, number=values.get('number'),
        record=_decode(values.get('record'), where)), where)
    captions = entry.take('captions', list)
    check_captions(captions, where)
    return Row(entry.take('image', str), tuple(captions), entry.take('person_id', int),
               entry.take('split', str), entry.take('record', dict),
               entry.take_or_none('number', int), where,
               None if data is None else lambda: data)


def _decode(text: Any, where: str) -> Any:
    """Decode the column of further keys."""
    try:
        return decode_json(text) if text else {}
    except (TypeError, ValueError, RecursionError) as error:
        raise BadValue(f'{where}: its column record is no JSON ({first_line(error)})') from error


def _suffix(data: bytes | None) -> str:
    """Return the suffix of an image that has no name."""
    return '.png' if (data or b'').startswith(b'\x89PNG') else '.jpg'
