"""Layouts of annotation files, and rows that any of them can be written from."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

from mmtbps.datasets.person_numbers import PersonNumbers
from mmtbps.fileio import AnyPath, RemotePath
from mmtbps.records import Entry, PairRecord, RecordError

from .json_styles import JsonStyle

__all__ = ['LAYOUTS', 'Layout', 'Row', 'RowSource', 'check_captions', 'list_files', 'our_split',
           'read_row', 'refuse_pictures', 'restore_record', 'restore_records', 'split_of_file']

_KNOWN = frozenset(field.name for field in fields(PairRecord))
_SPLITS = dict(train='train', val='val', test='test', validation='val', valid='val', dev='val')


@dataclass(frozen=True)
class Layout:
    """A layout of annotations.

    Args:
        ann_files: names of its annotation file, the usual one first; with ``{split}``, a file of
            each split.
        images: name of its image folder.
        image_key: key of the path of an image.
        id_key: key of the person.
        captions_key: key of the captions.
        strict: whether keys that are not known are an error for its reader.
        further_keys: keys that are known beside those.
        says_split: whether a record has a split.
        single_in: split in which each caption has a record of its own, with a string.
        names_people: whether an id may be a name, or a number in quotes.
    """

    ann_files: tuple[str, ...]
    images: str = 'imgs'
    image_key: str = 'file_path'
    id_key: str = 'id'
    captions_key: str = 'captions'
    strict: bool = False
    further_keys: frozenset[str] = frozenset()
    says_split: bool = True
    single_in: str | None = None
    names_people: bool = False

    @property
    def by_split(self) -> bool:
        """Division into files, one of each split."""
        return '{split}' in self.ann_files[0]

    def files_of(self, name: str) -> dict[str | None, str]:
        """Return the files that a name stands for, by split; by None if one holds all splits.

        Args:
            name: as in ``ann_files``.
        """
        if '{split}' not in name:
            return {None: name}
        return {split: name.replace('{split}', split) for split in ('train', 'val', 'test')}


#: By the name that a user gives. Those of other projects come last.
LAYOUTS = dict(
    cuhk=Layout(('reid_raw.json', )),
    icfg=Layout(('ICFG-PEDES.json', 'ICFG_PEDES.json')),
    rstp=Layout(('data_captions.json', ), image_key='img_path'),
    jsonl=Layout(('pairs.jsonl', ), 'images', 'image', 'person_id', strict=True,
                 further_keys=_KNOWN),
    rasa=Layout(('processed_data/{split}.json', )),
    tbps_clip=Layout(('{split}_reid.json', )),
    aptm=Layout(('cuhk_{split}.json', 'icfg_{split}.json', 'rstp_{split}.json'), 'imgs', 'image',
                'image_id', 'caption', strict=True, says_split=False, single_in='train',
                names_people=True))


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
        pictures: further images that the record names, those of composed queries: path, and what
            reads the file.
    """

    image: str
    captions: tuple[str | None, ...]
    person_id: int
    split: str
    record: dict[str, Any]
    number: int | None
    where: str
    read: Callable[[], bytes] | None
    pictures: tuple[tuple[str, Callable[[], bytes]], ...] = ()


class RowSource(NamedTuple):
    """Rows, and the file that they can be written back as.

    Args:
        rows: once.
        layout: name of their layout.
        ann_file: name of the annotation file, as in ``Layout.ann_files``.
        style: of its JSON; None if it is not known.
    """

    rows: Iterator[Row]
    layout: str
    ann_file: str
    style: JsonStyle | None


def our_split(name: str) -> str | None:
    """Return our name of a split of other data sets; None for another name.

    Example:
        >>> our_split('validation'), our_split('faces')
        ('val', None)
    """
    return _SPLITS.get(name.lower())


def split_of_file(file: Path) -> str | None:
    """Return the split that a file or its folder is called after; None if neither is.

    Example:
        >>> split_of_file(Path('data/train-00000-of-00002.parquet'))
        'train'
        >>> split_of_file(Path('dev/000000.tar'))
        'val'
    """
    return our_split(re.split('[-.]', file.name)[0]) or our_split(file.parent.name)


def list_files(place: AnyPath, suffixes: Sequence[str]) -> list[AnyPath]:
    """List a file, or those below a folder that end so, without hidden ones, by name.

    A conversion that was killed leaves a hidden folder, and some systems a hidden file for each.
    """
    if place.is_file():
        return [place]
    below = place.files_below() if isinstance(place, RemotePath) else place.rglob('*')
    return sorted(path for path in below if path.name.lower().endswith(tuple(suffixes))
                  and not any(part.startswith('.') for part in path.relative_to(place).parts))


def check_captions(captions: Iterable[Any], where: str, key: str = 'captions') -> None:
    """Check that captions are texts or null.

    Raises:
        RecordError: one is neither.
    """
    for caption in captions:
        if caption is not None and not isinstance(caption, str):
            raise RecordError(f'{where}: key {key!r} must hold strings only, got {caption!r}')


def refuse_pictures(row: Row) -> None:
    """Refuse a row with pictures of queries, where a row has a place for one image.

    Raises:
        RecordError: it has; the message says what takes them.
    """
    if row.pictures:
        raise RecordError(f'{row.where}: a composed query has a picture of its own, which has no '
                          'place beside the image here; JSON lines take it, and parquet its path')


def read_row(entry: Entry, layout: str, number: int | None,
             read: Callable[[str], Callable[[], bytes] | None], split: str | None = None,
             people: PersonNumbers | None = None) -> Row:
    """Read a record.

    Args:
        entry: of an annotation file.
        layout: name of its layout.
        number: its place in the file, from 0.
        read: gives, of a path, what reads the image.
        split: of the file, if it holds one.
        people: gives numbers to people that are known by names.

    Raises:
        RecordError: a key is missing or of another type; a caption is neither text nor null; or the
            record says another split than the file.
    """
    known = LAYOUTS[layout]
    single = known.single_in and isinstance(entry.raw.get(known.captions_key), str)
    captions = [entry.raw[known.captions_key]] if single else entry.take(known.captions_key, list)
    check_captions(captions, entry.where, known.captions_key)
    stated = entry.take_or_none('split', str) if split else entry.take('split', str)
    if split and stated and stated != split:
        raise RecordError(f'{entry.where}: split {stated!r} in a file for {split!r}')
    image = entry.take(known.image_key, str)
    person = people.take(entry, known.id_key) if people else entry.take(known.id_key, int)
    composed = entry.take_query_images(captions) if 'query_images' in known.further_keys else None
    return Row(image, tuple(captions), person, stated or split, entry.raw, number, entry.where,
               read(image), tuple((path, read(path)) for path in composed or ()))


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
    values = {wanted.image_key: row.image, wanted.captions_key: list(row.captions),
              wanted.id_key: row.person_id}
    file_says_it = wanted.by_split and source == target and 'split' not in row.record
    if wanted.says_split and not file_says_it:
        values['split'] = row.split
    names = {own.image_key: wanted.image_key, own.id_key: wanted.id_key,
             own.captions_key: wanted.captions_key}
    record: dict[str, Any] = {}
    for key, value in row.record.items():
        name = names.get(key, key)
        if name in values:
            record[name] = values[name]
        elif not wanted.strict or name in wanted.further_keys:
            record[name] = value
        elif name != 'split':
            left_out[name] += 1
    return record | {name: value for name, value in values.items() if name not in record}


def restore_records(row: Row, source: str, target: str, left_out: Counter) -> list[dict[str, Any]]:
    """Return the records of a row in a layout, where each caption may have one of its own.

    Args:
        row: as in `restore_record`.
        source: as there.
        target: as there.
        left_out: counts also captions that are no text, and images without one, where there is no
            record for them.
    """
    record, wanted = restore_record(row, source, target, left_out), LAYOUTS[target]
    if wanted.single_in != row.split:
        return [record]
    texts = [caption for caption in row.captions if caption is not None]
    if missing := len(row.captions) - len(texts):
        left_out['captions that are no text'] += missing
    if not texts:
        left_out['images without a caption'] += 1
    return [record | {wanted.captions_key: text} for text in texts]
