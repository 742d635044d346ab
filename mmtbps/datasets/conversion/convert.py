"""Conversion of a data set into another form."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from mmtbps.datasets.readers.names import READERS
from mmtbps.errors import BadValue, MissingFile
from mmtbps.fileio import AnyPath, as_path, check_writable, durable_folder, refuse_store

from .annotated_folder import find_layout, read_annotated, write_annotated
from .layouts import LAYOUTS, Row, RowSource, list_files
from .parquet_files import read_parquet, write_parquet
from .reader_rows import read_by_reader
from .webdataset_shards import SHARD_SUFFIXES, read_webdataset, write_webdataset

__all__ = ['FORMS', 'SOURCES', 'ConversionReport', 'convert_data']

#: Forms of a data set: layouts of annotations, and files that hold the images too.
FORMS = (*LAYOUTS, 'parquet', 'webdataset')
#: Forms that are read: further data sets that have a reader, too.
SOURCES = tuple(dict.fromkeys((*FORMS, *READERS)))
_NOTICES = ('licen', 'notice', 'copying', 'copyright')


class ConversionReport(NamedTuple):
    """Account of a conversion.

    Args:
        source: form that was read.
        target: form that was written.
        records: number of them.
        images: records whose image went along.
        left_out: keys that the new form does not have, and how many records had them.
        exact: of parquet, whether a conversion back gives the annotation file byte for byte; None
            of another form.
    """

    source: str
    target: str
    records: int
    images: int
    left_out: Mapping[str, int]
    exact: bool | None


def convert_data(source: str | os.PathLike, target: str | os.PathLike, to: str | None = None,
                 form: str | None = None, ann_file: str | None = None, images: str | None = None,
                 columns: Mapping[str, str] | None = None, split: str | None = None,
                 embed: bool = True, shard_size: int = 500_000_000, each_image: bool = False,
                 strip_prefix: str = '') -> ConversionReport:
    """Convert a data set into a new folder, which appears when it is whole.

    Args:
        source: folder of a layout, or file or folder of parquet or of tar shards; or its address
            in an object store.
        target: the new folder.
        to: one of `FORMS`; by default parquet, and of parquet the layout that it was made of.
        form: of the source, one of `SOURCES`; by default what its files say.
        ann_file: as in `read_annotated`.
        images: as in `read_annotated`.
        columns: as in `read_parquet`.
        split: of rows that do not say theirs.
        embed: put the files of images into parquet; else paths alone.
        shard_size: bytes of a file of parquet or of a shard.
        each_image: as in `read_parquet`.
        strip_prefix: as in `read_by_reader`.

    Raises:
        MissingFile: the source, its annotations or an image are not there.
        BadValue: the form is unknown, the target is not empty, or the source cannot be read.
        RecordError: a record cannot be read.
    """
    refuse_store(target)
    source, target = as_path(source), Path(target)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BadValue(f'{target} exists; remove it or name another folder')
    form = form or _find_form(source)
    found = (read_parquet(source, columns, split, each_image) if form == 'parquet' else
             _read(source, form, ann_file, images, split, strip_prefix))
    to = to or (found.layout if form == 'parquet' else
                'parquet' if form in SOURCES and form != 'webdataset' else 'jsonl')
    if to not in FORMS:
        raise BadValue(f'a form must be one of {", ".join(FORMS)}; got {to!r}')
    check_writable(target, folder=True)
    counts, left_out, exact = Counter(), Counter(), None
    found = found._replace(rows=_count(found.rows, counts))
    with durable_folder(target) as folder:
        if to == 'parquet':
            write_parquet(found, folder, embed, shard_size)
            exact = found.style is not None
        elif to == 'webdataset':
            write_webdataset(found, folder, left_out, shard_size)
        else:
            write_annotated(found, folder, to, left_out)
        _copy_notices(source, folder)
    return ConversionReport(form, to, counts['records'],
                            counts['images'] if embed or to != 'parquet' else 0, left_out, exact)


def _count(rows: Iterable[Row], counts: Counter) -> Iterator[Row]:
    """Count records and images of rows that pass."""
    for row in rows:
        counts['records'] += 1
        counts['images'] += row.read is not None
        yield row


def _find_form(source: AnyPath) -> str:
    if not source.exists():
        raise MissingFile(f'{source}: no such file or folder')
    found = None if source.is_file() else find_layout(source)
    tables = ('.parquet', '.arrow') if source.is_file() else ('.parquet', )
    found = found or next((form for form, suffixes in (
        ('parquet', tables), ('webdataset', SHARD_SUFFIXES)) if any(
            path.name.lower().endswith(suffixes) for path in list_files(source, suffixes))), None)
    if found is None:
        raise BadValue(f'{source}: its files do not say which form it has; it is one of '
                       f'{", ".join(SOURCES)}')
    return found


def _read(source: AnyPath, form: str, ann_file: str | None, images: str | None,
          split: str | None, strip_prefix: str) -> RowSource:
    if form == 'webdataset':
        return read_webdataset(source, split)
    if form in LAYOUTS and not strip_prefix:
        return read_annotated(source, form, ann_file, images)
    if form in READERS:
        return read_by_reader(source, form, ann_file, images, strip_prefix)
    raise BadValue(f'a form must be one of {", ".join(SOURCES)}; got {form!r}')


def _copy_notices(source: AnyPath, folder: Path) -> None:
    """Let the licence files of a data set go along."""
    for path in sorted(source.iterdir()) if source.is_dir() else ():
        if path.is_file() and path.name.lower().startswith(_NOTICES):
            (folder / path.name).write_bytes(path.read_bytes())
