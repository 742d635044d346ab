"""Wrappers of data sets: several as one, repeated, balanced; people and images kept apart."""

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from mmengine import dataset as stock

from mmtbps.errors import BadValue
from mmtbps.registry import DATASETS

from .annotations import Identity
from .item_ids import ItemIds
from .samplers import SeededIndex, UnfitSampler

__all__ = ['ClassBalancedDataset', 'ConcatDataset', 'RepeatDataset', 'data_sets_in']

#: Words on a data set that are joined to words on all of them.
_JOINED = 'dataset_name', 'split', 'other_size', 'left_out', 'queries', 'positives'
#: What a data set must have to stand in a wrapper.
_NEEDED = ('get_item', 'person_ids', 'image_ids', 'family_ids', 'people', 'num_images')


def data_sets_in(dataset: Any) -> Iterator[Any]:
    """Yield a data set, or all those that wrappers around it hold."""
    parts = getattr(dataset, 'parts', None)
    if parts is None:
        yield dataset
    for part in parts or ():
        yield from data_sets_in(part)


class _Wrapper(ItemIds):
    """Base of data sets whose items are those of others, under numbers of their own.

    Each item has one person, whoever the data sets inside call 0, and an image. A person of one
    annotation file is the same in all data sets inside that read it. Indices may bring the seed of
    their augmentation, as those of our samplers do.
    """

    parts: list[Any]  # the data sets inside

    def _wrap(self, parts: Sequence[Any], lazy_init: bool) -> None:
        self.parts = [DATASETS.build(part) if isinstance(part, dict) else part for part in parts]
        for part in self.parts:
            if lacking := [name for name in _NEEDED if not hasattr(type(part), name)]:
                raise UnfitSampler(
                    f'{type(self).__name__} takes data sets of people, TBPSDataset or a wrapper of '
                    f'mmtbps.datasets; {type(part).__name__} has no `{lacking[0]}`')
        if len({part.test_mode for part in self.parts}) > 1:
            raise BadValue(f'{type(self).__name__}: some data sets inside are in test mode, others '
                           'are not')
        self._fully_initialized = False
        if not lazy_init:
            self.full_init()

    @abstractmethod
    def _choose(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the part of each item, and the item there, ``(n,)`` each; parts are ready."""

    def full_init(self) -> None:
        """Read all data sets inside, and number their people and images."""
        if self._fully_initialized:
            return
        for part in self.parts:
            part.full_init()
        self._part, self._item = self._choose()
        people: dict[Identity, int] = {}
        self._numbers = [{old: people.setdefault(person, len(people))
                          for old, person in sorted(part.people.items())} for part in self.parts]
        self._people = {number: person for person, number in people.items()}
        self._image_starts = np.cumsum([0, *(part.num_images for part in self.parts)])
        self._person_ids = self._renumbered('person_ids')
        self._family_ids = self._renumbered('family_ids')
        self._image_ids = np.empty(len(self._part), dtype=np.int64)
        for index, part in enumerate(self.parts):
            own = self._part == index
            self._image_ids[own] = part.image_ids[self._item[own]] + self._image_starts[index]
        self._fully_initialized = True

    def _renumbered(self, kind: str) -> np.ndarray:
        ids = np.empty(len(self._part), dtype=np.int64)
        for index, part in enumerate(self.parts):
            own = self._part == index
            old, inverse = np.unique(getattr(part, kind)[self._item[own]], return_inverse=True)
            new = np.array([self._numbers[index][int(one)] for one in old], dtype=np.int64)
            ids[own] = new[inverse]
        return ids

    def __len__(self) -> int:
        self.full_init()
        return len(self._part)

    def __getitem__(self, index: int | SeededIndex) -> Any:
        return self.get_item(index)

    def get_item(self, index: int | SeededIndex,
                 renumber: Callable[[dict], dict] | None = None) -> Any:
        """Pass an item through the pipeline of its data set, under its numbers here.

        Args:
            index: Of the item, perhaps with the seed of its augmentation.
            renumber: Gives the item the numbers of a wrapper around this one.
        """
        number = self._row(index.index if isinstance(index, SeededIndex) else int(index))
        part, inside = int(self._part[number]), int(self._item[number])

        def renumber_here(item: dict) -> dict:
            item = self._renumber(item, number)
            return item if renumber is None else renumber(item)

        seeded = isinstance(index, SeededIndex)
        return self.parts[part].get_item(
            SeededIndex(inside, index.seed) if seeded else inside, renumber_here)

    def _renumber(self, item: dict, number: int) -> dict:
        """Give an item of a part its numbers here.

        Args:
            item: As the part has it.
            number: Of the item that was asked for here; the part may give another in its place.
        """
        part, inside = self._part[number], item['sample_idx']
        if inside != self._item[number]:
            number = int(np.flatnonzero((self._part == part) & (self._item == inside))[0])
        return dict(item, sample_idx=number, person_id=self._numbers[part][item['person_id']],
                    image_id=int(item['image_id'] + self._image_starts[part]))

    def _row(self, index: int) -> int:
        if not -len(self) <= index < len(self):
            raise IndexError(f'{type(self).__name__} has {len(self)} items, got index {index}')
        return index % len(self)

    def get_data_info(self, index: int) -> dict:
        """Return an item as it is before the pipeline, under its numbers here."""
        number = self._row(int(index))
        item = self.parts[self._part[number]].get_data_info(int(self._item[number]))
        return self._renumber(item, number)

    @property
    def test_mode(self) -> bool:
        """Kind of the items: for testing, or for training."""
        return self.parts[0].test_mode

    @property
    def metainfo(self) -> dict[str, Any]:
        """Names, splits, hashes of all parts, and how many people they have together."""
        self.full_init()
        known = [part.metainfo for part in self.parts]
        joined = {key: ' + '.join(dict.fromkeys(str(one[key]) for one in known if key in one))
                  for key in _JOINED
                  if any(key in one for one in known)}
        several = len({one.get('dataset_name') for one in known}) > 1
        files = {f'{one["dataset_name"]}/{name}' if several else name: value
                 for one in known for name, value in one.get('ann_files', {}).items()}
        return dict(joined, ann_files=files, num_persons=len(self._people))

    @property
    def num_images(self) -> int:
        """Number of images."""
        self.full_init()
        return int(self._image_starts[-1])


@DATASETS.register_module()
class ConcatDataset(_Wrapper, stock.ConcatDataset):
    """Data set made of several, trained with together.

    People of different annotation files are different people, those of one file the same, whichever
    part reads them. Generated pairs stand in the data set of their originals (``pairs_root``), so
    that their families are known.

    Args:
        datasets: Data sets of people or their settings, each with its own pipeline.
        weights: Factor of the pairs of each in the losses of our heads, on top of the weights that
            pairs have of their own; ``None`` for 1 each. To draw one more often, wrap
            it in `RepeatDataset`.
        lazy_init: Read annotations when they are asked for.

    Raises:
        UnfitSampler: One of them is no data set of people.
        BadValue: A weight is negative or no number, there is not one for each data set, or some
            data sets are in test mode and others are not.
    """

    def __init__(self, datasets: Sequence[Any], weights: Sequence[float] | None = None,
                 lazy_init: bool = False) -> None:
        if not datasets:
            raise BadValue('ConcatDataset needs at least one data set')
        self.weights = [1.] * len(datasets) if weights is None else list(weights)
        if len(self.weights) != len(datasets) or not all(
                isinstance(one, (int, float)) and 0 <= one < math.inf for one in self.weights):
            raise BadValue(f'weights must be {len(datasets)} numbers of at least 0, one for each '
                           f'data set, got {weights}')
        self._wrap(datasets, lazy_init)

    @property
    def datasets(self) -> list[Any]:
        """The data sets inside."""
        return self.parts

    def _choose(self) -> tuple[np.ndarray, np.ndarray]:
        sizes = [len(part) for part in self.parts]
        self.cumulative_sizes = np.cumsum(sizes).tolist()
        return (np.repeat(np.arange(len(sizes)), sizes),
                np.concatenate([np.arange(size) for size in sizes]))

    def _renumber(self, item: dict, number: int) -> dict:
        item, weight = super()._renumber(item, number), self.weights[self._part[number]]
        if weight != 1:
            item['pair_weight'] = weight * item.get('pair_weight', 1.)
        return item


class _Single(_Wrapper):
    """Base of wrappers of one data set."""

    @property
    def dataset(self) -> Any:
        """The data set inside."""
        return self.parts[0]


@DATASETS.register_module()
class RepeatDataset(_Single, stock.RepeatDataset):
    """Data set whose items come several times in an epoch, each time with another augmentation.

    Args:
        dataset: A data set of people or its settings.
        times: How often.
        lazy_init: Read annotations when they are asked for.

    Raises:
        UnfitSampler: It is no data set of people.
        BadValue: ``times`` is no whole number of at least 1.
    """

    def __init__(self, dataset: Any, times: int, lazy_init: bool = False) -> None:
        if not isinstance(times, int) or times < 1:
            raise BadValue(f'times must be a whole number of at least 1, got {times!r}')
        self.times = times
        self._wrap([dataset], lazy_init)

    def _choose(self) -> tuple[np.ndarray, np.ndarray]:
        items = np.tile(np.arange(len(self.dataset)), self.times)
        return np.zeros_like(items), items


@DATASETS.register_module()
class ClassBalancedDataset(_Single, stock.ClassBalancedDataset):
    """Data set in which items of people with few of them come several times in an epoch.

    LVIS: A Dataset for Large Vocabulary Instance Segmentation, https://arxiv.org/abs/1908.03195:
    an item of a person with the share f of all items comes ``ceil(max(1, sqrt(t / f)))`` times.

    Args:
        dataset: A data set of people or its settings.
        oversample_thr: t, the share of items from which on a person's items come once.
        lazy_init: Read annotations when they are asked for.

    Raises:
        UnfitSampler: It is no data set of people.
    """

    def __init__(self, dataset: Any, oversample_thr: float, lazy_init: bool = False) -> None:
        self.oversample_thr = oversample_thr
        self._wrap([dataset], lazy_init)

    def _choose(self) -> tuple[np.ndarray, np.ndarray]:
        persons = self.dataset.person_ids
        _, place, counts = np.unique(persons, return_inverse=True, return_counts=True)
        factors = np.maximum(1, np.sqrt(self.oversample_thr / (counts / len(persons))))
        self.repeat_indices = np.repeat(np.arange(len(persons)),
                                        np.ceil(factors[place]).astype(np.int64)).tolist()
        items = np.array(self.repeat_indices, dtype=np.int64)
        return np.zeros_like(items), items
