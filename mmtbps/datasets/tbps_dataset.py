"""Data set of images of people and their captions: reading, cleaning and serving pairs."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, ClassVar

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log

from mmtbps.errors import BadValue, Remedy
from mmtbps.records import Entry, PairRecord, RecordError
from mmtbps.registry import DATASETS

from .annotations import LocatedRecord, Source, find_sources, read_entries, select_split, sha256
from .images import decode_error, find_missing_images, find_undecodable
from .noise import load_noisy_order, noisy_order, reorder_captions
from .samplers import SeededIndex, seeded_random
from .skipped import NoSample, SkippedRecord, UndecodableImage, summarise


@DATASETS.register_module()
class TBPSDataset(BaseDataset):
    """Data set of text-based person search from JSONL files of :class:`~mmtbps.records.PairRecord`.

    An item for training is one (image, caption): ``img_path``, ``caption``, ``person_id``
    relabelled to 0..C-1 in the order of the raw ids, ``image_id``. An item for testing is one
    image with all its captions: ``img_path``, ``captions``, ``person_id`` as in the file,
    ``image_id``; the gallery is thus unique by construction. ``person_ids`` and ``image_ids``
    are int64 arrays with one value an item.

    Captions that are empty or no text and images that are missing or broken are left out, counted
    and listed in ``skipped``. Subclasses read other formats: they override :meth:`parse` and the
    class attributes.

    Args:
        data_root: Folder that the other paths start from.
        ann_file: Annotation file, or several that make one data set (original and generated
            pairs); files ending in ``.jsonl`` hold ``PairRecord`` lines in every subclass. Empty
            for the published file name.
        data_prefix: ``dict(img_path=...)``, the image folder, one for all files or one for each.
        split: ``'train'``, ``'val'`` or ``'test'``.
        pipeline: Transforms.
        test_mode: Give items for testing instead of items for training.
        strict: Raise at the first thing that would be skipped.
        verify_images: Decode every image once at the start. By default only in test
            mode, where a broken image would otherwise change the gallery half-way; in training a
            broken image is found when it is loaded, and another item of the same person (or the
            next item) takes its place.
        noise_rate: Fraction of the training captions to permute among themselves.
        noise_index: ``.npy`` permutation of all training captions instead of ``noise_rate``.
        noise_seed: Seed of ``noise_rate``.
        holdout: People of train that make up ``val``: a fraction below 1 or a number; 0 takes the
            splits of the file. ``None`` is the class's default.
        holdout_seed: Seed of the choice of people who are held out.
        kwargs: Further arguments of MMEngine's ``BaseDataset``.

    Raises:
        MissingFile: If an annotation file or image folder is missing (and how to get it).
        RecordError: If an annotation cannot be read, with file, record and key.
        BadValue: If split, hold-out or noise do not fit the data, or nothing usable is left.
    """

    dataset_name: ClassVar[str] = 'pairs'
    #: Published names of the annotation file; any stands for the others.
    ann_files: ClassVar[tuple[str, ...]] = ()
    image_folder: ClassVar[str] = ''
    how_to_get: ClassVar[str] = 'docs/guides/prepare_data.md shows how to write your own.'
    #: Name of the command that makes the data set in its ``data_root``, if there is one.
    remedy: ClassVar[str | None] = None
    #: People, images and captions that each split is published with.
    published_sizes: ClassVar[dict[str, tuple[int, int, int]]] = {}
    default_holdout: ClassVar[float] = 0

    def __init__(self, data_root: str = '', ann_file: str | Sequence[str] = '',
                 data_prefix: dict | None = None, split: str = 'train',
                 pipeline: Sequence[dict | Callable] = (), test_mode: bool = False,
                 strict: bool = False, verify_images: bool | None = None,
                 noise_rate: float = 0., noise_index: str | None = None, noise_seed: int = 0,
                 holdout: float | None = None, holdout_seed: int = 0, **kwargs: Any) -> None:
        self.split = split
        self.strict = strict
        self.verify_images = test_mode if verify_images is None else verify_images
        self.noise_rate, self.noise_index, self.noise_seed = noise_rate, noise_index, noise_seed
        self.holdout = self.default_holdout if holdout is None else holdout
        self.holdout_seed = holdout_seed
        self.skipped: list[SkippedRecord] = []
        self._broken: set[int] = set()  # ids of images found undecodable after the start
        super().__init__(
            ann_file=ann_file or self.ann_files[:1],
            data_prefix=data_prefix or dict(img_path=self.image_folder),
            data_root=data_root, pipeline=list(pipeline), test_mode=test_mode, **kwargs)

    def parse(self, annotation: list[Entry]) -> list[PairRecord]:
        """Read the entries of one annotation file: one record an entry, in order.

        The only method that differs between data sets. Captions that are no text may stay in: the
        data set counts and skips them.
        """
        records = []
        for entry in annotation:
            record = PairRecord(
                image=entry.take('image', str), captions=tuple(entry.take('captions', list)),
                person_id=entry.take('person_id', int), split=entry.take('split', str),
                source=entry.take_or_none('source', str))
            if record.source is not None and record.split != 'train':
                raise RecordError(f"{entry.where}: a generated pair (it has a key 'source') must "
                                  f"be in split 'train', got {record.split!r}")
            records.append(record)
        return records

    def sources(self) -> list[Source]:
        """Find the annotation files with their image folders.

        Raises:
            MissingFile: If one is missing, with how to get it.
        """
        names, prefixes = self.ann_file, self.data_prefix.get('img_path', '')
        names = [names] if isinstance(names, str) else list(names)
        prefixes = [prefixes] if isinstance(prefixes, str) else list(prefixes)
        if not names:
            raise BadValue(f'{type(self).__name__} needs `ann_file`. {self.how_to_get}')
        remedy = self.remedy and Remedy(self.remedy, dict(root=self.data_root or None))
        return find_sources(self.data_root, names, prefixes, aliases=self.ann_files,
                            how_to_get=self.how_to_get, remedy=remedy)

    def read_records(self) -> list[LocatedRecord]:
        """Read every record of every split, as the annotation files have it: nothing skipped."""
        sources, located = self.sources(), []
        for source in sources:
            numbered = read_entries(source)
            parse = TBPSDataset.parse if source.ann_file.suffix == '.jsonl' else type(self).parse
            records = parse(self, [entry for _, entry in numbered])
            located += [LocatedRecord(record, source, number)
                        for (number, _), record in zip(numbered, records, strict=True)]
        self._metainfo['ann_files'] = {s.name: sha256(s.ann_file) for s in sources}
        return located

    def load_data_list(self) -> list[dict]:
        """Turn annotation files into items; MMEngine calls it at the start."""
        located = select_split(self.read_records(), self.split, self.holdout, self.holdout_seed)
        located = self._drop_unusable(self._permute_captions(located))
        items = self._image_items(located) if self.test_mode else self._pair_items(located)
        if not items:
            raise BadValue(
                f'{self.dataset_name}: nothing usable in split {self.split!r}; '
                f'{summarise(self.skipped)}')
        self._person_ids = np.array([item['person_id'] for item in items], dtype=np.int64)
        self._image_ids = np.array([item['image_id'] for item in items], dtype=np.int64)
        self._family_ids = np.array([item.pop('family_id', item['person_id']) for item in items],
                                    dtype=np.int64)
        people, images = len(np.unique(self._person_ids)), len(self._image_origins)
        self._metainfo.update(
            dataset_name=self.dataset_name, split=self.split, num_persons=people)
        captions = sum(len(item.get('captions', 'c')) for item in items)
        print_log(f'{self.dataset_name} {self.split}: {people} people, {images} images, '
                  f'{captions} captions; {summarise(self.skipped)}', logger='current')
        return items

    def _permute_captions(self, located: list[LocatedRecord]) -> list[LocatedRecord]:
        if not self.noise_rate and self.noise_index is None:
            return located
        if self.split != 'train' or self.test_mode:
            raise BadValue('noise_rate and noise_index are for training on split train, '
                           f'got split={self.split!r}, test_mode={self.test_mode}')
        captions = [item.record.captions for item in located]
        count = sum(map(len, captions))
        order = (noisy_order(count, self.noise_rate, self.noise_seed)
                 if self.noise_index is None else load_noisy_order(self.noise_index, count))
        return [item._replace(record=replace(item.record, captions=moved)) for item, moved
                in zip(located, reorder_captions(captions, order), strict=True)]

    def _drop_unusable(self, located: list[LocatedRecord]) -> list[LocatedRecord]:
        paths = list(dict.fromkeys(item.image_path for item in located))
        missing = find_missing_images(paths)
        broken = (find_undecodable([path for path in paths if path not in missing])
                  if self.verify_images else {})
        usable = []
        for item in located:
            path = item.image_path
            if path in missing:
                self._skip(item, f'missing image: {path}')
            elif path in broken:
                self._skip(item, f'undecodable image: {path} ({broken[path]})')
            elif captions := tuple(self._texts(item)):
                usable.append(item._replace(record=replace(item.record, captions=captions)))
        return usable

    def _texts(self, item: LocatedRecord) -> Iterator[str]:
        for position, caption in enumerate(item.record.captions, start=1):
            if not isinstance(caption, str):
                self._skip(item, f'caption is no text: number {position} is {caption!r}')
            elif not caption.strip():
                self._skip(item, f'empty caption: number {position}')
            else:
                yield caption
        if not item.record.captions:
            self._skip(item, 'empty caption: the list has none')

    def _pair_items(self, located: list[LocatedRecord]) -> list[dict]:
        raw_ids = sorted({item.record.person_id for item in located})
        label = {raw: new for new, raw in enumerate(raw_ids)}
        original = {item.record.image: item.record.person_id for item in located
                    if item.record.source is None}
        first: dict[str, LocatedRecord] = {}
        image_id: dict[str, int] = {}
        items = []
        for item in located:
            path = item.image_path
            first.setdefault(path, item)
            image = image_id.setdefault(path, len(image_id))
            person = item.record.person_id
            family = original.get(item.record.source, person)
            items += [dict(img_path=path, caption=caption, image_id=image,
                           person_id=label[person], family_id=label[family])
                      for caption in item.record.captions]
        self._image_origins = [(item.source.name, item.number) for item in first.values()]
        return items

    def _image_items(self, located: list[LocatedRecord]) -> list[dict]:
        items: dict[str, dict] = {}
        self._image_origins = []
        for item in located:
            path, person = item.image_path, item.record.person_id
            if path not in items:
                items[path] = dict(img_path=path, captions=[], person_id=person,
                                   image_id=len(items))
                self._image_origins.append((item.source.name, item.number))
            if items[path]['person_id'] != person:
                self._skip(item, f'image of two people: {path} already shows person '
                                 f'{items[path]["person_id"]}, here it shows {person}')
                continue
            items[path]['captions'] += item.record.captions
        return list(items.values())

    def _skip(self, item: LocatedRecord, reason: str) -> None:
        skip = SkippedRecord(item.source.name, item.number, reason)
        if self.strict:
            raise RecordError(f'{skip} (strict=True)')
        self.skipped.append(skip)

    def __getitem__(self, index: int | SeededIndex) -> Any:
        """Pass an item through the pipeline, with its own random state if the index brings a seed.

        Raises:
            UndecodableImage: In test mode or with ``strict`` if the image cannot be decoded.
            NoSample: If no item could be had in ``max_refetch`` attempts.
        """
        self.full_init()
        if isinstance(index, SeededIndex):
            with seeded_random(index.seed):
                return self._fetch(index.index)
        return self._fetch(int(index))

    def _fetch(self, index: int) -> Any:
        candidates = islice(self._stand_ins(index), 1 if self.test_mode else self.max_refetch + 1)
        for candidate in candidates:
            sample = self._prepare(candidate)
            if sample is not None:
                return sample
        raise NoSample(f'{self.dataset_name}: the pipeline gave no sample for item {index}'
                       f'{"" if self.test_mode else " nor for those in its place"}')

    def _stand_ins(self, index: int) -> Iterator[int]:
        """Yield the item itself, the person's other items, all others; always in one order."""
        yield index
        others = np.roll(np.arange(len(self)), -index - 1)[:-1]
        same = self.person_ids[others] == self.person_ids[index]
        yield from map(int, np.concatenate([others[same], others[~same]]))

    def _prepare(self, index: int) -> Any:
        image = int(self.image_ids[index])
        if image in self._broken:
            return None
        try:
            return self.prepare_data(index)
        except Exception as error:
            path = self.get_data_info(index)['img_path']
            reason = decode_error(path)
            if reason is None:
                raise  # the image is fine, so the fault is in the pipeline
            skip = SkippedRecord(*self._image_origins[image],
                                 f'undecodable image: {path} ({reason})')
            if self.test_mode or self.strict:
                raise UndecodableImage(f'{skip}; verify_images=True drops such images at the '
                                       'start') from error
        self._broken.add(image)
        self.skipped.append(skip)
        print_log(f'{self.dataset_name}: {skip}; another item takes its place '
                  f'({len(self._broken)} so far in this process)', logger='current')
        return None

    @property
    def person_ids(self) -> np.ndarray:
        """Person of each item, int64, ``(len(self),)``; survives MMEngine's serialising."""
        self.full_init()
        return self._person_ids

    @property
    def image_ids(self) -> np.ndarray:
        """Image of each item, int64, ``(len(self),)``, numbered from 0 in order of appearance."""
        self.full_init()
        return self._image_ids

    @property
    def family_ids(self) -> np.ndarray:
        """Ids as ``person_ids``, but a generated pair has the person of its source image."""
        self.full_init()
        return self._family_ids

    def full_init(self) -> None:
        if self._fully_initialized:
            return
        super().full_init()
        if self._indices is not None:
            self._select(self._indices)

    def get_subset_(self, indices: Sequence[int] | int) -> None:
        super().get_subset_(indices)
        self._select(indices)

    def get_subset(self, indices: Sequence[int] | int) -> 'TBPSDataset':
        subset = super().get_subset(indices)
        subset._select(indices)
        return subset

    def _select(self, indices: Sequence[int] | int) -> None:
        """Keep ids in step with the items; labels and image ids keep their meaning."""
        if isinstance(indices, int):
            chosen = slice(indices) if indices >= 0 else slice(indices, None)
        else:
            chosen = np.asarray(indices, dtype=np.int64)
        self._person_ids = self._person_ids[chosen]
        self._image_ids = self._image_ids[chosen]
        self._family_ids = self._family_ids[chosen]

    def _join_prefix(self) -> None:
        """Leave the paths alone: :func:`find_sources` joins them, several of each."""
