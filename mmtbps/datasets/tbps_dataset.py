"""Data set of images of people and their captions: reading, cleaning and serving pairs."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
from mmengine.logging import print_log

from mmtbps.errors import BadValue, Notice, Remedy
from mmtbps.lexicon.query_text import is_blank
from mmtbps.records import Entry, PairRecord, RecordError, image_name
from mmtbps.registry import DATASETS

from .annotations import LocatedRecord, Source, find_sources, select_split, sha256
from .collection import paused_collection
from .entries import read_entries
from .generated import check_merge, check_pairs, describe_pairs, find_pairs
from .images import find_missing_images, find_other_names, find_undecodable
from .items import image_items, pair_items
from .noise import load_noisy_order, noisy_order, reorder_captions
from .people import count_ids_in_both, number_people
from .published_files import PublishedFiles
from .record_checks import caption_fault, check_splits, compare_published, find_repeated
from .serving import ServingDataset
from .skipped import ImagesLeftOut, SkippedRecord, summarise, word_left_out


@DATASETS.register_module()
class TBPSDataset(PublishedFiles, ServingDataset):
    """Data set of text-based person search from JSONL files of :class:`~mmtbps.records.PairRecord`.

    An item for training is one (image, caption): ``img_path``, ``caption``, ``person_id``
    relabelled to 0..C-1 in the order of the raw ids, ``image_id``. An item for testing is one
    image with all its captions: ``img_path``, ``captions``, ``person_id`` as in the file (or
    counted on, see ``shared_ids``), ``image_id``; the gallery is thus unique by construction.
    ``person_ids`` and ``image_ids`` are int64 arrays with one value an item.

    Captions that are empty or no text, records that stand twice, and in training images that are
    missing or broken are left out, counted and listed in ``skipped``. In testing an image without a
    caption is in the gallery and has no query, and one that is missing or broken is refused: the
    rest would be an easier gallery. Subclasses read other formats: they override :meth:`parse` and
    the class attributes.

    Args:
        data_root: Folder that the other paths start from.
        ann_file: Annotation file, or several that make one data set (original and generated
            pairs), or patterns (``attrs/*.json``); files ending in ``.jsonl`` hold ``PairRecord``
            lines in every subclass. Empty for the published names.
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
        shared_ids: Whether several annotation files number the same people. By default (unless the
            class says otherwise) each file numbers its own, apart from generated pairs, see
            :func:`~mmtbps.datasets.people.number_people`.
        strip_prefix: Beginning of the paths of all records, such as ``'images/MALS/'``, that the
            image folder here does not have.
        allow_outside: Let records name images outside the image folder.
        allow_missing: In test mode, leave out images that are missing or broken.
        allow_train_people: Let this validation or test set share people with the training set; a
            check before the training looks at it.
        max_broken: Most undecodable images that are left out in training, in each process.
        pairs_root: Folder of a generation run, whose merged pairs are trained with beside the
            originals, each with its ``pair_weight``; where nothing is merged there, the originals
            are all. For training on split train alone.
        image_captions: Give training items all captions of their image, for ``PartialCaptions``.
        kwargs: Further arguments of MMEngine's ``BaseDataset``.

    Raises:
        MissingFile: If an annotation file or image folder is missing (and how to get it).
        RecordError: If an annotation cannot be read, with file, record and key.
        BadValue: If split, hold-out, noise or generated pairs do not fit the data, or nothing
            usable is left.
        ImagesLeftOut: If images of a test set are missing or broken.
        TooManyBroken: If more than ``max_broken`` images are.
    """

    def __init__(self, data_root: str = '', ann_file: str | Sequence[str] = '',
                 data_prefix: dict | None = None, split: str = 'train',
                 pipeline: Sequence[dict | Callable] = (), test_mode: bool = False,
                 strict: bool = False, verify_images: bool | None = None,
                 noise_rate: float = 0., noise_index: str | None = None, noise_seed: int = 0,
                 holdout: float | None = None, holdout_seed: int = 0,
                 shared_ids: bool | None = None, strip_prefix: str = '',
                 allow_outside: bool = False, allow_missing: bool = False,
                 allow_train_people: bool = False, max_broken: int = 100,
                 pairs_root: str | None = None, image_captions: bool = False,
                 **kwargs: Any) -> None:
        if pairs_root is not None and (test_mode or split != 'train'):
            raise BadValue('pairs_root is for training on split train, '
                           f'got split={split!r}, test_mode={test_mode}')
        self.split, self.pairs_root = split, pairs_root
        self.strict = strict
        self.verify_images = test_mode if verify_images is None else verify_images
        self.noise_rate, self.noise_index, self.noise_seed = noise_rate, noise_index, noise_seed
        self.holdout = self.default_holdout if holdout is None else holdout
        self._holdout_if_needed = holdout is None
        self.holdout_seed, self.strip_prefix = holdout_seed, strip_prefix
        self.shared_ids = self.default_shared_ids if shared_ids is None else shared_ids
        self.allow_outside = allow_outside
        self.allow_missing, self.allow_train_people = allow_missing, allow_train_people
        self.max_broken, self.image_captions = max_broken, image_captions
        self.skipped: list[SkippedRecord] = []
        self._broken: set[int] = set()  # ids of images found undecodable after the start
        super().__init__(
            ann_file=ann_file or self.default_files(data_root, split),
            data_prefix=data_prefix or dict(img_path=self.image_folder),
            data_root=data_root, pipeline=list(pipeline), test_mode=test_mode, **kwargs)

    def parse(self, annotation: list[Entry]) -> list[PairRecord]:
        """Read the entries of one annotation file, ``self.reading``: one record an entry, in order.

        The only method that differs between data sets. Captions that are no text may stay in: the
        data set counts and skips them.
        """
        records = []
        for entry in annotation:
            record = PairRecord(
                image=entry.take('image', str), captions=tuple(entry.take('captions', list)),
                person_id=entry.take('person_id', int), split=entry.take('split', str),
                source=entry.take_or_none('source', str),
                pair_weight=entry.take_share_or_none('pair_weight'),
                query_images=entry.take_query_images(entry.raw['captions']))
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
        sources = find_sources(self.data_root, names, prefixes, aliases=self.ann_files,
                               how_to_get=self.how_to_get, remedy=remedy)
        pairs = None if self.pairs_root is None else find_pairs(self.pairs_root)
        return sources if pairs is None else [*sources, pairs]

    def read_records(self) -> list[LocatedRecord]:
        """Read every record of every split, as the annotation files have it, people kept apart.

        Raises:
            RecordError: On an entry that cannot be read, an image outside its folder or a split
                that there is not.
        """
        sources, located = self.sources(), []
        if self.pairs_root is not None:
            check_merge(self.pairs_root, self.dataset_name)
        with paused_collection():
            for source in sources:
                located += self._read_source(source)
        if not located:
            raise RecordError(f'{", ".join(s.name for s in sources)}: no record in any of them')
        check_splits(located, self.splits)
        self._metainfo['ann_files'] = {s.name: sha256(s.ann_file) for s in sources}
        with paused_collection():
            located = number_people(located, self.shared_ids)
        if self.pairs_root is not None:
            check_pairs(located, self.pairs_root)
        for files, count in ({} if self.shared_ids else count_ids_in_both(located)).items():
            print_log(f'{self.dataset_name}: {" and ".join(files)} have {count} ids in common, '
                      'which stand for different people (shared_ids=True: for the same)',
                      logger='current')
        return located

    def _read_source(self, source: Source) -> Iterator[LocatedRecord]:
        self.reading = source
        numbered = read_entries(
            source, lambda number: self._skip_at(
                source, number, 'half-written last line: it is no whole record'),
            self.forms, may_be_empty=bool(self.split_files))
        lines = source.has_lines and not self.parses_lines
        parse = TBPSDataset.parse if lines else type(self).parse
        while entries := list(islice(numbered, self.parse_size)):
            records = parse(self, [entry for _, entry in entries])
            for (number, entry), record in zip(entries, records, strict=True):
                yield LocatedRecord(self._in_folder(record, entry.where), source, number)

    def _in_folder(self, record: PairRecord, where: str) -> PairRecord:
        """Give a record its paths as they are below the image folder, none outside."""
        def name(path: str) -> str:
            return self.path_in_folder(path, where)

        image, made_from = name(record.image), record.source and name(record.source)
        pictures = record.query_images and tuple(map(name, record.query_images))
        if (image, made_from, pictures) == (record.image, record.source, record.query_images):
            return record
        return replace(record, image=image, source=made_from, query_images=pictures)

    def path_in_folder(self, path: str, where: str) -> str:
        """Return the path of an image below the image folder, one for all ways to write it."""
        if not path.startswith(self.strip_prefix):
            raise RecordError(f'{where}: image {path!r} does not begin with '
                              f'strip_prefix={self.strip_prefix!r}')
        return image_name(path[len(self.strip_prefix):], where, self.allow_outside)

    def select_records(self, located: Sequence[LocatedRecord] | None = None
                       ) -> list[LocatedRecord]:
        """Select the records of the data set's split, held-out people in or left out.

        Args:
            located: Records of all splits; by default they are read.
        """
        located = self.read_records() if located is None else located
        own_val = self._holdout_if_needed and any(item.record.split == 'val' for item in located)
        return select_split(located, self.split, 0 if own_val else self.holdout, self.holdout_seed)

    def describe_pairs(self, located: Sequence[LocatedRecord]) -> Notice | None:
        """Word what is trained on, where ``pairs_root`` names generated pairs; else ``None``.

        Args:
            located: Records of the data set's split.
        """
        if self.pairs_root is None:
            return None
        return describe_pairs(located, self.pairs_root, f'{self.dataset_name} {self.split}')

    def load_data_list(self) -> list[dict]:
        """Turn annotation files into items; MMEngine calls it at the start."""
        located = self.select_records()
        if not self.test_mode and any(item.record.query_images for item in located):
            raise BadValue(f'{self.dataset_name} {self.split}: records with query_images are '
                           'composed queries, which are for testing (test_mode=True)')
        published = self.published_sizes.get(self.split) if self.test_mode else None
        if other_size := compare_published(located, published):
            self._metainfo['other_size'] = other_size
        repeated = find_repeated(located)
        located = self._drop_unusable(self._permute_captions(located), repeated)
        items, self._image_origins, self._people = (
            image_items(located, self._skip) if self.test_mode
            else pair_items(located, self.image_captions))
        if not any('caption' in item or item['captions'] for item in items):
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

    def _drop_unusable(self, located: list[LocatedRecord],
                       repeated: dict[tuple, LocatedRecord]) -> list[LocatedRecord]:
        paths = list(dict.fromkeys(
            path for item in located for path in (item.image_path, *(item.query_paths or ()))))
        missing = find_missing_images(paths)
        broken = (find_undecodable([path for path in paths if path not in missing])
                  if self.verify_images else {})
        self._check_gaps(len(paths), missing, broken)
        others = {path: f'; {name!r} is there' for path, name in find_other_names(missing).items()}
        usable = []
        for item in located:
            path = item.image_path
            if earlier := repeated.get((item.source.ann_file, item.number)):
                self._skip(item, f'record twice: it says what {earlier.source.name}, record '
                                 f'{earlier.number} says')
            elif path in missing:
                self._skip(item, f'missing image: {path}{others.get(path, "")}')
            elif path in broken:
                self._skip(item, f'undecodable image: {path} ({broken[path]})')
            elif (texts := list(self._texts(item, missing | broken.keys()))) or self.test_mode:
                usable.append(item.with_captions(texts))
        return usable

    def _check_gaps(self, total: int, missing: set[str], broken: dict[str, str]) -> None:
        """Refuse what must not be left out, and note for the protocol what is."""
        if not self.test_mode:
            return self._check_broken(broken)
        left_out = word_left_out(total, len(missing), len(broken))
        if left_out and not self.allow_missing and not self.strict:
            first = min(missing) if missing else min(broken)
            raise ImagesLeftOut(
                f'{self.dataset_name}, split {self.split!r}: {left_out}, first {first}. A search '
                'in the rest is easier than in the whole gallery. Complete the images; or set '
                'allow_missing=True in the data set, which the protocol line then says',
                Remedy('allow_missing'))
        if left_out:
            self._metainfo['left_out'] = left_out

    def fault_of(self, caption: str) -> str | None:
        """Say what is wrong with a caption, which is then left out; ``None`` if nothing is."""
        return caption_fault(caption)

    def _texts(self, item: LocatedRecord, gone: set[str]) -> Iterator[int]:
        """Yield the places of usable captions."""
        for position, caption in enumerate(item.record.captions, start=1):
            if not isinstance(caption, str):
                self._skip(item, f'caption is no text: number {position} is {caption!r}')
            elif is_blank(caption):
                self._skip(item, f'empty caption: number {position}')
            elif fault := self.fault_of(caption):
                self._skip(item, f'{fault}: number {position}')
            elif item.query_paths and (path := item.query_paths[position - 1]) in gone:
                self._skip(item, f'picture of a query is missing or broken: {path}')
            else:
                yield position - 1
        if not item.record.captions and item.record.query_images is None:
            self._skip(item, 'empty caption: the list has none')

    def _skip(self, item: LocatedRecord, reason: str) -> None:
        self._skip_at(item.source, item.number, reason)

    def _skip_at(self, source: Source, number: int, reason: str) -> None:
        skip = SkippedRecord(source.name, number, reason)
        if self.strict:
            raise RecordError(f'{skip} (strict=True)')
        self.skipped.append(skip)

    def _join_prefix(self) -> None:
        """Leave the paths alone: :func:`find_sources` joins them, several of each."""
