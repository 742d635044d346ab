"""Rows of any data set that has a reader."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mmengine.fileio import get

from mmtbps.datasets.annotations import LocatedRecord
from mmtbps.datasets.readers.names import READERS
from mmtbps.errors import MissingFile

from .layouts import LAYOUTS, Row, RowSource

__all__ = ['read_by_reader']


def read_by_reader(root: Path, form: str, ann_file: str | None = None, images: str | None = None,
                   strip_prefix: str = '') -> RowSource:
    """Read a data set by its reader, an image with all its captions a row.

    Args:
        root: of the data set.
        form: name of the reader, see `READERS`.
        ann_file: annotation file or pattern; by default all that are published.
        images: the image folder; by default the published one.
        strip_prefix: as in `TBPSDataset`.

    Raises:
        MissingFile: file or folder are not there; later, an image is not.
        RecordError: later, a record cannot be read.
    """
    reader = READERS[form]
    dataset = reader(
        data_root=str(root), ann_file=ann_file or list(reader.default_files(str(root))),
        data_prefix=images and dict(img_path=images), strip_prefix=strip_prefix, lazy_init=True)
    dataset.sources()
    return RowSource(_rows(dataset.read_records), 'jsonl', LAYOUTS['jsonl'].ann_files[0], None)


def _rows(read_records: Callable[[], list[LocatedRecord]]) -> Iterator[Row]:
    of_image: dict[Any, list[LocatedRecord]] = defaultdict(list)
    for item in read_records():
        record = item.record
        of_image[item.image_path, record.split, record.person_id, record.source,
                 record.pair_weight].append(item)
    for items in of_image.values():
        first = items[0]
        record, where = first.record, f'{first.source.ann_file}, record {first.number}'
        further = {name: value for name, value in dict(
            source=record.source, pair_weight=record.pair_weight,
            query_images=None if record.query_images is None else [
                image for item in items for image in item.record.query_images]).items()
            if value is not None}
        captions = tuple(caption for item in items for caption in item.record.captions)
        yield Row(record.image, captions, record.person_id, record.split, further, None, where,
                  _reader(first.image_path, where), tuple(
                      (image, _reader(path, where)) for item in items for image, path in zip(
                          item.record.query_images or (), item.query_paths or (), strict=True)))


def _reader(path: str, where: str) -> Callable[[], bytes]:
    def read() -> bytes:
        try:
            return get(path)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise MissingFile(f'{where}: image {path} is not there') from error

    return read
