"""Reader of images with captions whose people nobody has numbered."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from mmtbps.datasets.annotations import LocatedRecord
from mmtbps.datasets.person_numbers import PersonNumbers
from mmtbps.errors import BadValue
from mmtbps.records import Entry, PairRecord, RecordError
from mmtbps.registry import DATASETS

from ..tbps_dataset import TBPSDataset

__all__ = ['ImageTextPairs']


@DATASETS.register_module()
class ImageTextPairs(TBPSDataset):
    """Reader of images with captions, from the web or made by models: each image is a person.

    Files are JSON (a list of records, an object ``{image: caption(s)}``, or a list of such), JSON
    lines, CSV, TSV, parquet or Arrow (columns; images lie in the image folder). A record has the
    path of its image under one of `image_keys`, and its caption, a list, or an object of captions
    under one of `caption_keys`. Records of one image, in whatever file of the data set, belong
    together. Records without a ``split`` are in `default_split`. In JSON lines, those that cleaning
    and conversion write (`PairRecord`) are read by every reader. Further arguments as in
    :class:`TBPSDataset`; files number people together (``shared_ids``).

    Args:
        people: Who is one person: ``'image'``, each image; ``'folder'``, the images of each folder;
            otherwise the key of a record that names or numbers its person. ``None`` is the class's
            default.
        kwargs: Arguments of :class:`TBPSDataset`, without ``pairs_root``.

    Raises:
        RecordError: A record has two such keys or none; or a caption of another kind.
    """

    dataset_name = 'image-text pairs'
    how_to_get = 'docs/guides/data_sets.md#images-without-people shows the forms it reads.'
    default_shared_ids = True
    forms = ('list', 'mapping', 'table')
    parse_size = 10_000
    parses_lines = True
    image_a_record = False
    default_people: ClassVar[str] = 'image'
    default_split: ClassVar[str] = 'train'
    image_keys: ClassVar[tuple[str, ...]] = (
        'image', 'file_path', 'img_path', 'image_path', 'file_name', 'img')
    caption_keys: ClassVar[tuple[str, ...]] = ('captions', 'caption', 'text')

    def __init__(self, *args: Any, people: str | None = None, **kwargs: Any) -> None:
        if kwargs.get('pairs_root') is not None:
            raise BadValue('pairs_root is for data sets of people that several images show; '
                           f'{type(self).__name__} has a person an image')
        self.people_by = people or self.default_people
        self._numbers = PersonNumbers()
        super().__init__(*args, **kwargs)

    def read_records(self) -> list[LocatedRecord]:
        self._numbers = PersonNumbers()
        located = super().read_records()
        self._numbers = PersonNumbers()  # millions of names, which nobody asks for again
        return located

    def parse(self, annotation: list[Entry]) -> list[PairRecord]:
        return [self._read(as_record(entry, self.image_keys)) for entry in annotation]

    def split_of(self, entry: Entry) -> str:
        """Return the split of a record."""
        return entry.take_or_none('split', str) or self.default_split

    def name_image(self, image: str) -> str:
        """Return the path of an image below the image folder."""
        return image

    def _read(self, entry: Entry) -> PairRecord:
        ours = self.reading.has_lines and {'image', 'captions', 'person_id'} <= entry.raw.keys()
        image_keys, caption_keys = (('image',), ('captions',)) if ours else (
            self.image_keys, self.caption_keys)
        image = self.name_image(entry.take(_only_key(entry, image_keys), str))
        captions = tuple(_captions_in(entry, _only_key(entry, caption_keys)))
        return PairRecord(image=image, captions=captions, split=self.split_of(entry),
                          person_id=self._person(entry, image, ours))

    def _person(self, entry: Entry, image: str, ours: bool) -> int:
        if self.people_by in ('image', 'folder'):
            path = self.path_in_folder(image, entry.where)
            return self._numbers.of(path if self.people_by == 'image'
                                    else path.rpartition('/')[0])
        known = self.people_by in entry.raw or not ours
        return self._numbers.take(entry, self.people_by if known else 'person_id')


def as_record(entry: Entry, image_keys: tuple[str, ...]) -> Entry:
    """Return an entry ``{image: caption(s)}`` as a record, any other as it is.

    Args:
        entry: Of an annotation file.
        image_keys: Keys that a record has for its image, which is thus none.

    >>> as_record(Entry({'a.jpg': ['A man.']}, 'x'), ('image',)).raw
    {'image': 'a.jpg', 'captions': ['A man.']}
    """
    if len(entry.raw) != 1:
        return entry
    (name, value), = entry.raw.items()
    if name in image_keys:
        return entry
    return Entry({image_keys[0]: name, 'captions': value}, f'{entry.where} ({name})')


def _only_key(entry: Entry, keys: tuple[str, ...]) -> str:
    """Find the one of some keys that a record has."""
    found = [key for key in keys if key in entry.raw]
    if len(found) == 1:
        return found[0]
    had = ', '.join(map(repr, entry.raw)) or 'none'
    wanted = ', '.join(map(repr, keys))
    if not found:
        raise RecordError(f'{entry.where}: it needs one of the keys {wanted} (keys: {had})')
    raise RecordError(f'{entry.where}: it has the keys {" and ".join(map(repr, found))}, of which '
                      'one would be enough: leave one out')


def _captions_in(entry: Entry, key: str) -> Iterator[Any]:
    """Yield the caption or captions; what is no text stays in, for the data set to count."""
    value = entry.raw[key]
    if isinstance(value, str) or value is None:
        yield value
    elif isinstance(value, list):
        yield from value
    elif isinstance(value, Mapping):
        yield from value.values()
    else:
        raise RecordError(f'{entry.where}: key {key!r} must be a caption, a list or an object of '
                          f'captions, got {value!r}')
