"""Serving of items: own random states, undecodable images replaced, reading tried again."""

import time
from collections.abc import Callable, Iterator, Sequence, Sized
from itertools import islice
from typing import Any, ClassVar

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log

from mmtbps.errors import UserError

from . import images
from .collection import paused_collection
from .images import find_fault, word_unreadable
from .item_ids import ItemIds
from .samplers import SeededIndex, seeded_random
from .skipped import (
    NoSample,
    SkippedRecord,
    TooManyBroken,
    UndecodableImage,
    UnreadableImage,
)


class ServingDataset(ItemIds, BaseDataset):
    """Data set that serves the items which a subclass reads.

    In training an image that cannot be decoded is left out when it is met: another item of the
    same person (or the next item) takes its place. One that cannot be *read* is tried again, and
    then ends the run: it was there at the start, and the next run could train on it. A subclass
    sets the attributes below and, while it reads, the ids of its items.
    """

    dataset_name: ClassVar[str]
    strict: bool
    max_broken: int
    skipped: list[SkippedRecord]
    _broken: set[int]  # ids of images found undecodable after the start
    _image_origins: list[tuple[str, int]]  # annotation file and record of each image

    def __getitem__(self, index: int | SeededIndex) -> Any:
        """Pass an item through the pipeline, with its own random state if the index brings a seed.

        Raises:
            UndecodableImage: In test mode or with ``strict`` if the image cannot be decoded.
            UnreadableImage: If its file cannot be read, after some pauses neither.
            TooManyBroken: If more than ``max_broken`` images cannot be decoded.
            NoSample: If no item could be had in ``max_refetch`` attempts.
        """
        return self.get_item(index)

    def get_item(self, index: int | SeededIndex,
                 renumber: Callable[[dict], dict] | None = None) -> Any:
        """Pass an item through the pipeline, under the numbers of a data set around this one.

        Args:
            index: Of the item, perhaps with the seed of its augmentation.
            renumber: Gives the item, as it is before the pipeline, the ids that it has there.
        """
        self.full_init()
        for pause in (*images.RETRY_PAUSES, None):
            try:
                return self._fetch_seeded(index, renumber)
            except OSError as error:  # of a file; begun anew, the item is the same
                for_good = isinstance(error, UserError) and not isinstance(error, UnreadableImage)
                if pause is None or for_good:
                    raise
                time.sleep(pause)
        raise AssertionError

    def _fetch_seeded(self, index: int | SeededIndex,
                      renumber: Callable[[dict], dict] | None) -> Any:
        if isinstance(index, SeededIndex):
            with seeded_random(index.seed):
                return self._fetch(index.index, renumber)
        return self._fetch(int(index), renumber)

    def _fetch(self, index: int, renumber: Callable[[dict], dict] | None) -> Any:
        candidates = islice(self._stand_ins(index), 1 if self.test_mode else self.max_refetch + 1)
        for candidate in candidates:
            sample = self._prepare(candidate, renumber)
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

    def _prepare(self, index: int, renumber: Callable[[dict], dict] | None) -> Any:
        image = int(self.image_ids[index])
        if image in self._broken:
            return None
        try:
            return (self.prepare_data(index) if renumber is None else
                    self.pipeline(renumber(self.get_data_info(index))))
        except Exception as error:
            path = self.get_data_info(index)['img_path']
            fault = find_fault(path)
            if fault is None:
                raise  # the image is fine, so the fault is in the pipeline
            if fault.unreadable:
                raise UnreadableImage(word_unreadable(path, fault.reason)) from error
            skip = SkippedRecord(*self._image_origins[image],
                                 f'undecodable image: {path} ({fault.reason})')
            if self.test_mode or self.strict:
                raise UndecodableImage(f'{skip}; verify_images=True finds such images at the '
                                       'start') from error
        self._broken.add(image)
        self.skipped.append(skip)
        self._check_broken(self._broken)
        print_log(f'{self.dataset_name}: {skip}; another item takes its place '
                  f'({len(self._broken)} so far in this process)', logger='current')
        return None

    @property
    def num_images(self) -> int:
        """Number of images, of which ``image_ids`` are the numbers."""
        self.full_init()
        return len(self._image_origins)

    def full_init(self) -> None:
        if self._fully_initialized:
            return
        with paused_collection():
            super().full_init()
        if self._indices is not None:
            self._select(self._indices)

    def get_subset_(self, indices: Sequence[int] | int) -> None:
        super().get_subset_(indices)
        self._select(indices)

    def get_subset(self, indices: Sequence[int] | int) -> 'ServingDataset':
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

    def _check_broken(self, broken: Sized) -> None:
        if len(broken) > self.max_broken:
            raise TooManyBroken(
                f'{self.dataset_name}: {len(broken)} images cannot be decoded, more than '
                f'max_broken={self.max_broken}; is the copy complete?')
