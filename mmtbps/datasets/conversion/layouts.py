"""Layouts of annotation files, and rows that any of them can be written from."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from mmtbps.records import Entry, PairRecord, RecordError

from .json_styles import JsonStyle

__all__ = ['LAYOUTS', 'Layout', 'Row', 'RowSource', 'read_row', 'restore_record']


@dataclass(frozen=True)
class Layout:
    """A layout of annotations.

    Args:
        ann_files: names of its annotation file, the usual one first.
        images: name of its image folder.
        image_key: key of the path of an image.
        id_key: key of the person.
        strict: whether keys that are not known are an error for its reader.
    """

    ann_files: tuple[str, ...]
    images: str = 'imgs'
    image_key: str = 'file_path'
    id_key: str = 'id'
    strict: bool = False


#: By the name that a user gives.
LAYOUTS = dict(
    cuhk=Layout(('reid_raw.json', )),
    icfg=Layout(('ICFG-PEDES.json', 'ICFG_PEDES.json')),
    rstp=Layout(('data_captions.json', ), image_key='img_path'),
    jsonl=Layout(('pairs.jsonl', ), 'images', 'image', 'person_id', strict=True))
_KNOWN = frozenset(field.name for field in fields(PairRecord))


class Row(NamedTuple):
    """A record on its way from one layout to another.

    Args:
        image: path of the image as the record has it.
        captions: its captions; None for one that is no text.
        person_id: of the person.
        split: of the data set.
        record: the record as its file has it, in the order of its keys; values of the fields above
            are not read.
        number: place in its file, from 0; None where none is known.
        where: place for messages.
        read: reads the file of the image; None where the row has a path alone.
    """

    image: str
    captions: tuple[str | None, ...]
    person_id: int
    split: str
    record: dict[str, Any]
    number: int | None
    where: str
    read: Callable[[], bytes] | None


class RowSource(NamedTuple):
    """Rows, and the file that they can be written back as.

    Args:
        rows: once.
        layout: name of their layout.
        ann_file: name of the annotation file.
        style: of its JSON; None if it is not known.
    """

    rows: Iterator[Row]
    layout: str
    ann_file: str
    style: JsonStyle | None


def read_row(entry: Entry, layout: str, number: int | None,
             read: Callable[[str], Callable[[], bytes] | None]) -> Row:
    """Read a record.

    Args:
        entry: of an annotation file.
        layout: name of its layout.
        number: its place in the file, from 0.
        read: gives, of a path, what reads the image.

    Raises:
        RecordError: a key is missing or of another type; a caption is neither text nor null.
    """
    known = LAYOUTS[layout]
    captions = entry.take('captions', list)
    for caption in captions:
        if caption is not None and not isinstance(caption, str):
            raise RecordError(f"{entry.where}: key 'captions' must hold strings only, got "
                              f'{caption!r}')
    image = entry.take(known.image_key, str)
    return Row(image, tuple(captions), entry.take(known.id_key, int), entry.take('split', str),
               entry.raw, number, entry.where, read(image))


def restore_record(row: Row, source: str, target: str, left_out: Counter) -> dict[str, Any]:
    """Return the record of a row in a layout.

    Args:
        row: of any source.
        source: name of the layout that its ``record`` is in.
        target: name of the layout wanted.
        left_out: counts the keys that the layout does not know.

    Returns:
        In the order of the keys of ``record``; equal to the former one if the layout is the same.

    Example:
        >>> row = Row('a.jpg', ('A man.', ), 3, 'train', dict(id=0, file_path=''), 0, '', None)
        >>> restore_record(row, 'cuhk', 'jsonl', Counter())
        {'person_id': 3, 'image': 'a.jpg', 'captions': ['A man.'], 'split': 'train'}
    """
    own, wanted = LAYOUTS[source], LAYOUTS[target]
    values = {wanted.image_key: row.image, 'captions': list(row.captions),
              wanted.id_key: row.person_id, 'split': row.split}
    names = {own.image_key: wanted.image_key, own.id_key: wanted.id_key}
    record: dict[str, Any] = {}
    for key, value in row.record.items():
        name = names.get(key, key)
        if name not in values and wanted.strict and name not in _KNOWN:
            left_out[name] += 1
        else:
            record[name] = values.get(name, value)
    return record | {name: value for name, value in values.items() if name not in record}
