"""Tables of annotations: CSV, TSV, parquet and Arrow files, row by row, without images in them."""

import csv
from collections.abc import Iterable, Iterator
from typing import Any

from mmtbps.errors import BadValue, MissingPackage, first_line
from mmtbps.fileio import AnyPath, is_remote, open_bytes, open_text
from mmtbps.records import RecordError

__all__ = ['TABLE_SUFFIXES', 'iter_rows', 'open_arrow']

TABLE_SUFFIXES = ('.csv', '.tsv', '.parquet', '.arrow')
_ROWS = 1000


def iter_rows(path: AnyPath) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table as objects; columns of bytes, such as images, are not read.

    A column of images as the package ``datasets`` has it (bytes and path) gives the path.

    Args:
        path: A file that ends in one of `TABLE_SUFFIXES`.

    Raises:
        MissingPackage: pyarrow is missing, which all but CSV and TSV need.
        RecordError: The file is broken, or a line of it has more or fewer cells than its head.
    """
    suffix = path.suffix.lower()
    if suffix in ('.csv', '.tsv'):
        return _csv_rows(path, '\t' if suffix == '.tsv' else ',')
    return _parquet_rows(path) if suffix == '.parquet' else _arrow_rows(path)


def _csv_rows(path: AnyPath, delimiter: str) -> Iterator[dict[str, str]]:
    try:
        with open_text(path, 'utf-8-sig', newline='') as file:
            rows = csv.DictReader(file, delimiter=delimiter, strict=True)
            for row in rows:
                if None in row or None in row.values():
                    raise RecordError(f'{path}:{rows.line_num}: a line must have as many cells as '
                                      f'the head ({len(rows.fieldnames or ())})')
                yield row
    except (csv.Error, UnicodeDecodeError) as error:
        raise RecordError(f'{path}: no readable table ({first_line(error)})') from error


def _parquet_rows(path: AnyPath) -> Iterator[dict[str, Any]]:
    arrow = _pyarrow()
    import pyarrow.parquet as parquet
    try:
        with parquet.ParquetFile(open_bytes(path) if is_remote(path) else path) as file:
            wanted = [column.path for column in file.schema
                      if column.physical_type not in ('BYTE_ARRAY', 'FIXED_LEN_BYTE_ARRAY')
                      or column.logical_type.type == 'STRING']
            for batch in file.iter_batches(_ROWS, columns=wanted):
                yield from map(_without_structs, batch.to_pylist())
    except (OSError, arrow.ArrowException) as error:
        raise RecordError(f'{path}: no readable parquet file ({first_line(error)})') from error


def _arrow_rows(path: AnyPath) -> Iterator[dict[str, Any]]:
    arrow = _pyarrow()
    try:
        for batch in open_arrow(path, images=False):
            for start in range(0, batch.num_rows, _ROWS):
                yield from map(_without_structs, batch.slice(start, _ROWS).to_pylist())
    except (OSError, arrow.ArrowException) as error:
        raise RecordError(f'{path}: no readable Arrow file ({first_line(error)})') from error


def open_arrow(path: AnyPath, images: bool = True) -> Iterable[Any]:
    """Open the record batches of an Arrow file, random-access or stream, mapped into memory.

    Args:
        path: The file.
        images: Read columns of bytes too.

    Raises:
        MissingPackage: pyarrow is missing.
        BadValue: It is no Arrow file.
    """
    arrow = _pyarrow()
    source = (arrow.BufferReader(path.read_bytes()) if is_remote(path)
              else arrow.memory_map(str(path)))
    for opener in (arrow.ipc.open_file, arrow.ipc.open_stream):
        source.seek(0)
        try:
            schema = opener(source).schema
        except (arrow.ArrowInvalid, arrow.ArrowTypeError):
            continue
        fields = [place for place, field in enumerate(schema)
                  if images or not arrow.types.is_binary(field.type)
                  and not arrow.types.is_large_binary(field.type)]
        source.seek(0)
        reader = opener(source, options=arrow.ipc.IpcReadOptions(included_fields=fields))
        if hasattr(reader, 'num_record_batches'):
            return map(reader.get_batch, range(reader.num_record_batches))
        return reader
    raise BadValue(f'{path}: no Arrow file')


def _pyarrow() -> Any:
    try:
        import pyarrow
        import pyarrow.ipc
    except ImportError as error:
        raise MissingPackage('parquet and Arrow files need pyarrow: pip install "mmtbps[search]"'
                             ) from error
    return pyarrow


def _without_structs(row: dict[str, Any]) -> dict[str, Any]:
    """Replace an image of bytes and path by its path."""
    return {name: value['path'] if isinstance(value, dict) and 'path' in value else value
            for name, value in row.items()}
