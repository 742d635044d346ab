"""Folders with an annotation file and images, read as rows and written from them."""

import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from mmengine.fileio import get

from mmtbps.datasets.annotations import Source, find_sources
from mmtbps.datasets.entries import read_entries
from mmtbps.datasets.packed import image_path
from mmtbps.errors import BadValue, MissingFile
from mmtbps.records import RecordError, image_name

from .json_styles import JsonStyle, encode_records, find_style
from .layouts import LAYOUTS, Row, RowSource, read_row, restore_record

__all__ = ['find_layout', 'read_annotated', 'write_annotated']


def find_layout(root: Path) -> str | None:
    """Find the layout of a folder by its annotation file; None if there is none, or several.

    CUHK-PEDES and DrawnPEDES have the same.
    """
    found = [name for name, layout in LAYOUTS.items()
             if any((root / file).is_file() for file in layout.ann_files)]
    return found[0] if len(found) == 1 else None


def read_annotated(root: Path, layout: str, ann_file: str | None = None,
                   images: str | None = None) -> RowSource:
    """Read a folder in a layout.

    Args:
        root: of the data set.
        layout: name of it.
        ann_file: the annotation file; by default that of the layout.
        images: the image folder, or one of packed images; by default that of the layout.

    Raises:
        MissingFile: file or folder are not there; later, an image is not.
        RecordError: a record cannot be read.
    """
    known = LAYOUTS[layout]
    source, = find_sources(
        str(root), [ann_file or known.ann_files[0]], [images or known.images], known.ann_files,
        'Name them if they are called otherwise')
    entries = list(read_entries(source))
    lines = source.ann_file.suffix == '.jsonl'
    style = find_style(source.ann_file.read_bytes(), [entry.raw for _, entry in entries], lines)

    def rows() -> Iterator[Row]:
        for place, (_, entry) in enumerate(entries):
            yield read_row(entry, layout, place, _reader(source, entry.where))

    return RowSource(rows(), layout, source.ann_file.name, style)


def _reader(source: Source, where: str) -> Callable[[str], Callable[[], bytes]]:
    """Return what gives, of a path, what reads the image."""
    def reader(image: str) -> Callable[[], bytes]:
        path = image_path(source.images, image_name(image, where))

        def read() -> bytes:
            try:
                return get(path)
            except (FileNotFoundError, NotADirectoryError) as error:
                raise MissingFile(f'{where}: image {path} is not there') from error

        return read
    return reader


def write_annotated(source: RowSource, folder: Path, target: str, left_out: Counter) -> None:
    """Write rows as a folder in a layout.

    Args:
        source: of the rows.
        folder: an empty one.
        target: name of the layout.
        left_out: counts the keys that it does not know.

    Raises:
        RecordError: the path of an image leads out of the folder.
        BadValue: two images have one path; or there is no row.
    """
    layout = LAYOUTS[target]
    same = source.layout == target
    name = source.ann_file if same else layout.ann_files[0]
    known: dict[str, int] = {}
    numbered = []
    for row in _with_all_captions(source.rows):
        _write_image(row, folder / layout.images, known)
        numbered.append((row.number, restore_record(row, source.layout, target, left_out)))
    if not numbered:
        raise BadValue('no record in it; is the copy complete?')
    numbers = {number for number, _ in numbered}
    if None not in numbers and len(numbers) == len(numbered):
        numbered.sort(key=lambda pair: pair[0])
    style = source.style if same else None
    lines = name.endswith('.jsonl')
    content = encode_records([record for _, record in numbered],
                             style or JsonStyle(lines, ascii_only=False, newline=True))
    (folder / name).write_bytes(content)


def _with_all_captions(rows: Iterator[Row]) -> Iterator[Row]:
    """Join neighbours that are one image, as data sets have them with a row of each caption.

    Rows whose place in an annotation file is known are as they were there.
    """
    held = None
    for row in rows:
        if held and row.number is None and _is_image_of(row, held):
            if row.person_id != held.person_id:
                raise RecordError(f'{row.where}: {row.image} is person {row.person_id} here, and '
                                  f'person {held.person_id} in the row before')
            held = held._replace(captions=held.captions + row.captions)
            continue
        if held:
            yield held
        held = row
    if held:
        yield held


def _is_image_of(row: Row, other: Row) -> bool:
    """Tell whether two rows have one image, by its path and its file."""
    if (row.image, row.split) != (other.image, other.split):
        return False
    return row.read is other.read or None not in (row.read, other.read) and (
        row.read() == other.read())


def _write_image(row: Row, folder: Path, known: dict[str, int]) -> None:
    """Write the image of a row, if it has one that is not there yet."""
    if row.read is None:
        return
    name, data = image_name(row.image, row.where), row.read()
    checksum = zlib.crc32(data)
    if known.setdefault(name, checksum) != checksum:
        raise RecordError(f'{row.where}: another image than before has the path {name}')
    path = folder / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
