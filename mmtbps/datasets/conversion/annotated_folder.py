"""Folders with an annotation file and images, read as rows and written from them."""

import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from mmengine.fileio import get

from mmtbps.datasets.annotations import Source, find_sources
from mmtbps.datasets.entries import read_entries
from mmtbps.datasets.packed import image_path
from mmtbps.datasets.person_numbers import PersonNumbers
from mmtbps.errors import BadValue, MissingFile
from mmtbps.fileio import is_disk_full
from mmtbps.records import RecordError, image_name

from .json_styles import JsonStyle, encode_records, find_style
from .layouts import LAYOUTS, Layout, Row, RowSource, read_row, restore_records

__all__ = ['find_layout', 'read_annotated', 'write_annotated']


def find_layout(root: Path) -> str | None:
    """Find the layout of a folder by its annotation file; None if there is none, or several.

    CUHK-PEDES and DrawnPEDES have the same. Files that another project made beside those of a data
    set are passed over.
    """
    found = [name for name, layout in LAYOUTS.items()
             if any(_there(root, layout, file) for file in layout.ann_files)]
    found = [name for name in found if not LAYOUTS[name].by_split] or found
    return found[0] if len(found) == 1 else None


def _there(root: Path, layout: Layout, name: str) -> dict[str | None, str]:
    """Return the files that a name stands for and that are there, by split."""
    return {split: file for split, file in layout.files_of(name).items() if (root / file).is_file()}


def read_annotated(root: Path, layout: str, ann_file: str | None = None,
                   images: str | None = None) -> RowSource:
    """Read a folder in a layout.

    Args:
        root: of the data set.
        layout: name of it.
        ann_file: the annotation file, with ``{split}`` in a layout with a file of each split; by
            default that of the layout.
        images: the image folder, or one of packed images; by default that of the layout.

    Raises:
        MissingFile: file or folder are not there; later, an image is not.
        BadValue: the layout's files of several data sets are there.
        RecordError: a record cannot be read.
    """
    known = LAYOUTS[layout]
    name = ann_file or _usual_name(root, known)
    files = _there(root, known, name) or known.files_of(name)
    sources = find_sources(str(root), list(files.values()), [images or known.images],
                           known.ann_files, 'Name them if they are called otherwise')
    read = [(split, source, list(read_entries(source, may_be_empty=known.by_split)))
            for split, source in zip(files, sources, strict=True)]
    styles = {find_style(source.ann_file.read_bytes(), [entry.raw for _, entry in entries],
                         source.has_lines) for _, source, entries in read if entries}
    if any(isinstance(entry.raw.get(known.id_key), str) for *_, entries in read
           for _, entry in entries):
        styles = set()  # people get numbers in place of names, so the text will differ
    people = PersonNumbers() if known.names_people else None

    def rows() -> Iterator[Row]:
        place = 0
        for split, source, entries in read:
            for _, entry in entries:
                # Records of one caption each are those of an image: their places do not count.
                number = None if known.single_in else place
                yield read_row(entry, layout, number, _reader(source, entry.where), split, people)
                place += 1

    name = sources[0].ann_file.name if None in files else name
    return RowSource(rows(), layout, name, styles.pop() if len(styles) == 1 else None)


def _usual_name(root: Path, layout: Layout) -> str:
    """Return the name of a layout that is there."""
    there = [name for name in layout.ann_files if _there(root, layout, name)]
    if len(there) > 1 and layout.by_split:
        raise BadValue(f'{root}: annotations of several data sets are there, '
                       f'{" and ".join(there)}; name those that are meant as annotation file')
    return there[0] if layout.by_split and there else layout.ann_files[0]


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
        BadValue: two images have one path; there is no row; or a split has no file.
    """
    layout = LAYOUTS[target]
    same = source.layout == target
    name = source.ann_file if same else _name_for(layout, source.layout)
    known: dict[str, int] = {}
    numbered = []
    for row in _with_all_captions(source.rows):
        for image, read in ((row.image, row.read), *row.pictures):
            _write_image(image, read, row.where, folder / layout.images, known)
        records = restore_records(row, source.layout, target, left_out)
        numbered.append((row.number, row.split, records))
    if not numbered:
        raise BadValue('no record in it; is the copy complete?')
    numbers = {number for number, *_ in numbered}
    if None not in numbers and len(numbers) == len(numbered):
        numbered.sort(key=lambda one: one[0])
    style = source.style if same else None
    style = style or JsonStyle(name.lower().endswith('.jsonl'), ascii_only=False, newline=True)
    for split, file in layout.files_of(name).items():
        content = [record for _, own, records in numbered if split in (None, own)
                   for record in records]
        if content:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(encode_records(content, style))
    strange = {split for _, split, _ in numbered} - layout.files_of(name).keys()
    if strange and layout.by_split:
        raise BadValue(f'split {min(strange)!r} has no file in this layout, which has train, val '
                       'and test')


def _name_for(layout: Layout, source: str) -> str:
    """Return the name of the annotation file; where data sets have names of their own, that."""
    own = [name for name in layout.ann_files if name.startswith(f'{source}_')]
    return own[0] if own else layout.ann_files[0]


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


def _write_image(image: str, read: Callable[[], bytes] | None, where: str, folder: Path,
                 known: dict[str, int]) -> None:
    """Write an image of a row, if it has one that is not there yet."""
    if read is None:
        return
    name, data = image_name(image, where), read()
    checksum, new = zlib.crc32(data), name not in known
    if known.setdefault(name, checksum) != checksum:
        raise RecordError(f'{where}: another image than before has the path {name}')
    if not new:
        return
    try:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open('xb') as file:  # some systems take A.jpg for a.jpg
            file.write(data)
    except (OSError, ValueError) as error:
        if is_disk_full(error):
            raise
        raise RecordError(f'{where}: its image cannot have the path {name!r} in this folder '
                          f'({getattr(error, "strerror", None) or error})') from error
