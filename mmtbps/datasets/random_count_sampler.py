"""Sampler of batches in which each person has a random number of items."""

from collections import deque
from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler

from mmtbps.errors import BadValue
from mmtbps.registry import DATA_SAMPLERS

from .samplers import SeededIndex, SeededSampler, UnfitSampler

__all__ = ['RandomCountBatchSampler', 'cut_groups', 'fill_batches']


def cut_groups(persons: np.ndarray, most: int, rng: np.random.Generator) -> list[list[int]]:
    """Cut the items of each person into groups of a random size, in random order.

    Args:
        persons: Person of each item, ``(n,)``.
        most: Largest size; all from 1 to it are equally likely, but for the last group of a person.
        rng: Source of the sizes and of the order.

    Returns:
        Positions in ``persons``, each in one group; those of a person in their order there.

    Example:
        >>> sorted(cut_groups(np.array([7, 7, 9]), 1, np.random.default_rng(0)))
        [[0], [1], [2]]
    """
    groups = []
    by_person = np.argsort(persons, kind='stable')
    starts = np.flatnonzero(np.diff(persons[by_person], prepend=persons[by_person[:1]] - 1))
    sizes = rng.integers(1, most + 1, size=len(persons))
    for items in np.split(by_person, starts[1:]):
        taken = 0
        while taken < len(items):
            size = sizes[items[taken]]
            groups.append(items[taken:taken + size].tolist())
            taken += size
    return [groups[i] for i in rng.permutation(len(groups))]


def fill_batches(groups: list[list[int]], persons: np.ndarray, batch_size: int) -> np.ndarray:
    """Fill batches with groups in their order, one group of a person in each as long as it can be.

    A group whose person is in the batch already waits for the next one; one that is larger than the
    room left is cut, and its rest waits. Where nobody else is left, those who wait fill the batch.

    Args:
        groups: Items of one person each.
        persons: Person of each item, ``(n,)``.
        batch_size: Items of a batch.

    Returns:
        Items, ``(B, batch_size)`` with ``B = n // batch_size``; the last ones may be left over.

    Example:
        >>> fill_batches([[0, 1], [2], [3]], np.array([7, 7, 7, 8]), 3).tolist()
        [[0, 1, 3]]
    """
    queue, batches = deque(groups), []
    while len(batches) < len(persons) // batch_size:
        batch, waiting, inside = [], [], set()
        while len(batch) < batch_size:
            others_left = bool(queue)
            group = queue.popleft() if others_left else waiting.pop(0)
            if others_left and persons[group[0]] in inside:
                waiting.append(group)
                continue
            room = batch_size - len(batch)
            batch += group[:room]
            inside.add(persons[group[0]])
            if group[room:]:
                waiting.append(group[room:])
        queue.extendleft(reversed(waiting))
        batches.append(batch)
    return np.array(batches, dtype=np.int64).reshape(-1, batch_size)


@DATA_SAMPLERS.register_module()
class RandomCountBatchSampler(Sampler):
    """Sampler of full batches to which each of its people gives 1 to ``max_instances`` items.

    Text-guided Image Restoration and Semantic Enhancement for Text-to-Image Person Retrieval (SEN),
    https://arxiv.org/abs/2307.09059, which has 1 or 2. Goes into the ``batch_sampler`` field of a
    dataloader beside ``sampler=dict(type=SeededSampler)``. A person's shuffled items are cut into
    groups of random size, and groups fill the batches in random order, so that each item comes once
    an epoch. No person fills two groups of a batch, except in the last ones of an epoch, where
    nobody else may be left. All processes compute the same global batches and each takes its slice.

    The losses must know who is the same person, as ``SDMHead`` does.

    Args:
        sampler: Gives data set, order, seed and epoch.
        batch_size: Items of one process in a batch.
        max_instances: Most items of a person.

    Raises:
        UnfitSampler: If the sampler is no :class:`SeededSampler`, or its data set has no
            ``person_ids``.
        BadValue: If ``max_instances`` is no positive number, or the items fill no batch.
    """

    def __init__(self, sampler: SeededSampler, batch_size: int, max_instances: int = 2) -> None:
        if not isinstance(sampler, SeededSampler):
            raise UnfitSampler('RandomCountBatchSampler needs `sampler=dict(type=SeededSampler)`, '
                               f'got {type(sampler).__name__}')
        persons = getattr(sampler.dataset, 'person_ids', None)
        if persons is None:
            raise UnfitSampler(f'{type(sampler.dataset).__name__} has no `person_ids`, which this '
                               'sampler needs: use TBPSDataset, or a wrapper of mmtbps.datasets')
        if max_instances < 1:
            raise BadValue(f'max_instances must be at least 1, got {max_instances}')
        self.sampler, self.batch_size, self.max_instances = sampler, batch_size, max_instances
        # A data set sliced by the Runner's `num_batch_per_epoch` is shorter than its `person_ids`.
        self.persons = np.asarray(persons)[:len(sampler.dataset)]
        self.num_batches = len(self.persons) // (batch_size * sampler.world_size)
        if not self.num_batches:
            raise BadValue(f'{batch_size * sampler.world_size} items are needed for one batch over '
                           f'all processes, but the data set has {len(self.persons)}: lower the '
                           'batch size')

    def __iter__(self) -> Iterator[list[SeededIndex]]:
        sampler, size = self.sampler, self.batch_size
        order = sampler.order()
        persons = self.persons[order]
        groups = cut_groups(persons, self.max_instances, sampler.generator(2))
        filled = fill_batches(groups, persons, size * sampler.world_size)
        own = order[filled[:, sampler.rank * size:(sampler.rank + 1) * size]]
        items = sampler.seeded(own.reshape(-1))
        return (items[start:start + size] for start in range(0, len(items), size))

    def __len__(self) -> int:
        return self.num_batches
