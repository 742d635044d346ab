"""Samplers of batches: seeded, the same on every process, a function of (seed, epoch)."""

import math
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from mmengine.dist import get_dist_info, sync_random_seed
from mmengine.logging import print_log
from torch.utils.data import Sampler, get_worker_info

from mmtbps.errors import BadValue, UserError
from mmtbps.registry import DATA_SAMPLERS

_SEED_STEP = 0x9E3779B9  # odd and large: the seeds of an item's turns lie far from each other


class UnfitSampler(UserError, TypeError):
    """A sampler beside a data set or another sampler that it cannot work with."""


class SeededIndex(NamedTuple):
    """An item and the seed of its augmentation; :class:`TBPSDataset` accepts it as an index."""

    index: int
    seed: int


@contextmanager
def seeded_random(seed: int) -> Iterator[None]:
    """Seed the global states of ``random`` and ``np.random``, and restore them afterwards.

    PyTorch's generators are left alone: the transforms draw from NumPy, as mmcv's do. In a loader's
    worker the states stay where the items leave them: nobody else draws there, and to save and
    restore them costs as much as reading a small image.

    >>> with seeded_random(3):
    ...     first = np.random.rand()
    >>> with seeded_random(3):
    ...     first == np.random.rand()
    True
    """
    shared = get_worker_info() is None
    if shared:
        python_state, numpy_state = random.getstate(), np.random.get_state()
    random.seed(seed)
    np.random.seed(seed)
    try:
        yield
    finally:
        if shared:
            random.setstate(python_state)
            np.random.set_state(numpy_state)


class _EpochSampler(Sampler):
    """Base of the samplers: rank, world size and random numbers of (seed, epoch, purpose).

    Attributes:
        begun: An epoch that a resumed run goes on with, and how many items of this process it has
            done; these are left out of that epoch.
    """

    def __init__(self, dataset: Any, seed: int | None) -> None:
        if type(dataset).__module__.startswith('mmengine.dataset'):  # passes on no seeds
            raise UnfitSampler(f'{type(dataset).__name__} of MMEngine mixes up people and takes no '
                               f'seeds: use mmtbps.datasets.{type(dataset).__name__}')
        self.rank, self.world_size = get_dist_info()
        self.dataset = dataset
        self.seed = sync_random_seed() if seed is None else seed
        self.epoch = 0
        self.begun = (0, 0)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch; MMEngine's ``DistSamplerSeedHook`` does it before each one."""
        self.epoch = epoch

    def generator(self, purpose: int) -> np.random.Generator:
        """Return an independent random stream for a ``purpose``, equal on all processes."""
        return np.random.default_rng((self.seed, self.epoch, purpose))

    def order(self) -> np.ndarray:
        """Return all items in the order of this epoch."""
        return self.generator(0).permutation(len(self.dataset))

    def seeded(self, indices: np.ndarray, turns: np.ndarray | None = None) -> list[SeededIndex]:
        """Join to each of ``indices`` the seed of its augmentation in this epoch.

        Args:
            indices: Items, ``(n,)``.
            turns: 0 for the first time that an item comes in the epoch, 1 for the second, ...:
                each time has another seed. ``None`` where no item comes twice.

        Returns:
            All of them, but for those that were done before in an epoch that is resumed.
        """
        seeds = self.generator(1).integers(2**32, size=len(self.dataset))[indices]
        if turns is not None:
            seeds = (seeds + turns * _SEED_STEP) % 2**32
        epoch, done = self.begun
        first = done if epoch == self.epoch else 0
        return list(map(SeededIndex, indices[first:].tolist(), seeds[first:].tolist()))


@DATA_SAMPLERS.register_module()
class SeededSampler(_EpochSampler):
    """Sampler as MMEngine's ``DefaultSampler``, whose indices bring the seed of their augmentation.

    A sample of epoch ``e`` is then the same with any number of workers or processes, and after a
    resume.

    Args:
        dataset: The data set.
        shuffle: Whether each epoch has its own random order.
        seed: Seed of order and augmentation, equal on all processes; ``None`` agrees on a random
            one.
        round_up: Whether to repeat items from the start so that all processes get equally many.

    >>> sampler = SeededSampler(range(4), shuffle=False, seed=0)
    >>> [item.index for item in sampler]
    [0, 1, 2, 3]
    """

    def __init__(self, dataset: Any, shuffle: bool = True, seed: int | None = None,
                 round_up: bool = True) -> None:
        super().__init__(dataset, seed)
        self.shuffle = shuffle
        self.round_up = round_up

    def order(self) -> np.ndarray:
        return super().order() if self.shuffle else np.arange(len(self.dataset))

    def __iter__(self) -> Iterator[SeededIndex]:
        order = self.order()
        if self.round_up:
            order = np.resize(order, len(self) * self.world_size)
        return iter(self.seeded(order[self.rank::self.world_size]))

    def __len__(self) -> int:
        rest = 0 if self.round_up else self.rank
        return math.ceil((len(self.dataset) - rest) / self.world_size)


def count_full_batches(persons: np.ndarray, batch_size: int) -> int:
    """Count the most full batches in which no person comes twice.

    ``B`` batches can be filled exactly when ``sum_p min(n_p, B) >= B * batch_size``, ``n_p`` being
    the number of items of person ``p``: nobody can be in more than ``B`` batches, and
    :func:`deal_batches` reaches the bound.

    >>> count_full_batches(np.array([0, 0, 0, 1, 2]), batch_size=2)
    2
    """
    _, counts = np.unique(persons, return_counts=True)
    low, high = 0, len(persons) // batch_size
    # The slack sum_p min(n_p, B) - B * batch_size is concave in B and 0 at B = 0.
    while low < high:
        middle = (low + high + 1) // 2
        if np.minimum(counts, middle).sum() >= middle * batch_size:
            low = middle
        else:
            high = middle - 1
    return low


def deal_batches(persons: np.ndarray, batch_size: int, rng: np.random.Generator) -> np.ndarray:
    """Deal items into as many full batches as possible, no person twice in a batch.

    Like cards: the items lie person after person (in random order) and are cut into
    ``batch_size`` layers of ``B`` items; each layer is shuffled and hands one item to each of the
    ``B`` batches. Nobody has more than ``B`` items, so a person lies in one layer or in two
    neighbouring ones; only the latter can collide, and :func:`_separate` moves them apart.

    Args:
        persons: Person of each item, ``(n,)``. When items must stay out, those of people with
            more than ``B`` items go first and then those at the end of the array.
        batch_size: Items in a batch.
        rng: Source of the shuffling.

    Returns:
        Positions in ``persons``, ``(B, batch_size)``, each at most once;
        ``B = count_full_batches(persons, batch_size)``.
    """
    batches = count_full_batches(persons, batch_size)
    if batches == 0:
        return np.empty((0, batch_size), dtype=np.int64)
    _, person, counts = np.unique(persons, return_inverse=True, return_counts=True)
    place = rng.permutation(len(counts))[person]
    by_person = np.argsort(place, kind='stable')
    starts = np.zeros(len(counts), dtype=np.int64)
    starts[1:] = np.cumsum(np.bincount(place))[:-1]
    turn = np.empty(len(persons), dtype=np.int64)  # how many items of this person come before
    turn[by_person] = np.arange(len(persons)) - starts[place[by_person]]
    kept = np.flatnonzero(turn < batches)[:batches * batch_size]
    cards = kept[np.argsort(place[kept], kind='stable')].reshape(batch_size, batches)
    layers = rng.permuted(cards, axis=1)
    for k in range(1, batch_size):
        last, first = place[cards[k - 1, -1]], place[cards[k, 0]]
        if last == first:
            _separate(place[layers[k - 1]] == first, place[layers[k]] == first, layers[k], rng)
    return layers.T


def _separate(above: np.ndarray, here: np.ndarray, layer: np.ndarray,
              rng: np.random.Generator) -> None:
    """Swap items within ``layer`` so that a person's items leave the batches it is in ``above``.

    There is always room: together the person has at most ``B`` items in both layers.
    """
    clashes = np.flatnonzero(above & here)
    free = rng.permutation(np.flatnonzero(~above & ~here))[:len(clashes)]
    layer[clashes], layer[free] = layer[free], layer[clashes]


def _ids(dataset: Any, kind: str) -> np.ndarray:
    persons = getattr(dataset, kind, None)
    if persons is None:
        raise UnfitSampler(f'{type(dataset).__name__} has no `{kind}`, which this sampler needs: '
                           'use TBPSDataset, or a wrapper of mmtbps.datasets')
    # A data set sliced by the Runner's `num_batch_per_epoch` is shorter than its `person_ids`.
    return np.asarray(persons)[:len(dataset)]


@DATA_SAMPLERS.register_module()
class UniquePersonBatchSampler(Sampler):
    """Sampler of full batches in which no person comes twice, over all processes together.

    With the diagonal as target, a second pair of the same person would be a false negative.
    Goes into the ``batch_sampler`` field of a dataloader beside
    ``sampler=dict(type=SeededSampler)``. All processes compute the same global batches of
    ``batch_size * world_size`` items and each takes its slice. The number of batches is the same
    in every epoch and on every process, the largest possible one; the items left over (fewer than
    a batch, unless a few people own most items) are others in each epoch.

    Args:
        sampler: Gives data set, order, seed and epoch.
        batch_size: Items of one process in a batch.
        distinct_by: Ids that must differ within a batch: ``'person_ids'``, or ``'family_ids'`` to
            keep generated pairs out of the batches of their originals, too.
        apart: Former name of ``distinct_by``.

    Raises:
        UnfitSampler: If the sampler is no :class:`SeededSampler`, or its data set has no
            ``person_ids``.
        BadValue: If there are fewer people than items in a global batch.
    """

    def __init__(self, sampler: SeededSampler, batch_size: int,
                 distinct_by: str = 'person_ids', apart: str | None = None) -> None:
        if not isinstance(sampler, SeededSampler):
            raise UnfitSampler('UniquePersonBatchSampler needs `sampler=dict(type=SeededSampler)`, '
                               f'got {type(sampler).__name__}')
        if apart is not None:
            warnings.warn('apart of UniquePersonBatchSampler is now distinct_by', FutureWarning,
                          stacklevel=2)
            distinct_by = apart
        self.sampler = sampler
        self.batch_size = batch_size
        self.persons = _ids(sampler.dataset, distinct_by)
        self.num_batches = _count_or_raise(self.persons, batch_size * sampler.world_size)
        unused = len(self.persons) - self.num_batches * batch_size * sampler.world_size
        print_log(f'UniquePersonBatchSampler: {self.num_batches} batches an epoch, {unused} of '
                  f'{len(self.persons)} items (others each epoch) stay out', logger='current')

    def __iter__(self) -> Iterator[list[SeededIndex]]:
        sampler, size = self.sampler, self.batch_size
        order = sampler.order()
        dealt = deal_batches(
            self.persons[order], size * sampler.world_size, sampler.generator(2))
        own = order[dealt[:, sampler.rank * size:(sampler.rank + 1) * size]]
        items = sampler.seeded(own.reshape(-1))
        return (items[start:start + size] for start in range(0, len(items), size))

    def __len__(self) -> int:
        return self.num_batches


@DATA_SAMPLERS.register_module()
class IdentitySampler(_EpochSampler):
    """Sampler of P x K batches: ``num_persons`` people with ``num_instances`` items of each.

    Goes into the ``sampler`` field; the dataloader's ``batch_size`` must be
    ``num_persons * num_instances``. A person's shuffled items are cut into groups of K, and the
    groups are dealt as in :class:`UniquePersonBatchSampler`, so that no person fills two groups of
    a batch on any process. People with fewer than K items repeat some, each time with another
    augmentation. A loss that takes the diagonal alone as target would call the other K - 1 items of
    a person negatives: set ``same_person='positive'``.

    Args:
        dataset: A data set with ``person_ids``.
        num_persons: P, people in a batch of one process.
        num_instances: K, items of each person.
        seed: As in :class:`SeededSampler`.

    Raises:
        UnfitSampler: If the data set has no ``person_ids``.
        BadValue: If there are fewer people than groups in a global batch.
    """

    def __init__(self, dataset: Any, num_persons: int, num_instances: int,
                 seed: int | None = None) -> None:
        super().__init__(dataset, seed)
        self.num_persons = num_persons
        self.num_instances = num_instances
        self.persons = _ids(dataset, 'person_ids')
        ids, counts = np.unique(self.persons, return_counts=True)
        self._group_persons = np.repeat(ids, np.maximum(counts // num_instances, 1))
        self.num_batches = _count_or_raise(self._group_persons, num_persons * self.world_size)

    def _groups(self) -> tuple[np.ndarray, np.ndarray]:
        """Cut the items into groups of one person, people in ascending order.

        Returns:
            Items and their turns, ``(G, K)`` each.
        """
        order = self.order()
        order = order[np.argsort(self.persons[order], kind='stable')]
        _, starts = np.unique(self.persons[order], return_index=True)
        groups, turns = [], []
        for items in np.split(order, starts[1:]):
            whole = max(len(items) // self.num_instances, 1) * self.num_instances
            groups.append(np.resize(items, whole))
            turns.append(np.arange(whole) // len(items))
        return tuple(np.concatenate(parts).reshape(-1, self.num_instances)
                     for parts in (groups, turns))

    def __iter__(self) -> Iterator[SeededIndex]:
        rng = self.generator(2)
        shuffled = rng.permutation(len(self._group_persons))
        dealt = deal_batches(
            self._group_persons[shuffled], self.num_persons * self.world_size, rng)
        start = self.rank * self.num_persons
        own = shuffled[dealt[:, start:start + self.num_persons]]
        items, turns = (values[own].reshape(-1) for values in self._groups())
        return iter(self.seeded(items, turns))

    def __len__(self) -> int:
        return self.num_batches * self.num_persons * self.num_instances


def _count_or_raise(persons: np.ndarray, global_batch: int) -> int:
    batches = count_full_batches(persons, global_batch)
    if batches == 0:
        raise BadValue(
            f'{global_batch} different people are needed for one batch over all processes, but '
            f'the data set has {len(np.unique(persons))}: lower the batch size')
    return batches
