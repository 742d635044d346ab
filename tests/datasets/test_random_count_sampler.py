"""Random counts of a person in a batch: sizes, limits, processes, seeds."""

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from mmtbps.datasets import RandomCountBatchSampler, SeededSampler, samplers
from mmtbps.datasets.random_count_sampler import cut_groups, fill_batches


def people(seed=0, count=40, most=6):
    rng = np.random.default_rng(seed)
    return rng.permutation(np.repeat(np.arange(count), rng.integers(1, most + 1, count)))


def sampler_of(persons, batch_size, seed=0, **options):
    class Data(SimpleNamespace):
        def __len__(self):
            return len(persons)

    return RandomCountBatchSampler(SeededSampler(Data(person_ids=persons), seed=seed), batch_size,
                                   **options)


def items(batches):
    return [[item.index for item in batch] for batch in batches]


@pytest.mark.parametrize('most', [1, 2, 3])
def test_groups_have_every_size_and_every_item_once(most):
    persons = people(count=400)
    groups = cut_groups(persons, most, np.random.default_rng(0))
    assert sorted(item for group in groups for item in group) == list(range(len(persons)))
    assert all(len(set(persons[group])) == 1 and group == sorted(group) for group in groups)
    left, sizes = Counter(persons.tolist()), Counter()
    for group in sorted(groups):  # those of a person come in their order
        if left[persons[group[0]]] >= most:  # else it may be cut short
            sizes[len(group)] += 1
        left[persons[group[0]]] -= len(group)
    assert set(sizes) == set(range(1, most + 1))
    assert max(sizes.values()) < 1.5 * min(sizes.values())


def slow_fill(groups, persons, batch_size):
    """The same rule, by looking through the list from its beginning each time."""
    left, batches = [list(group) for group in groups], []
    for _ in range(len(persons) // batch_size):
        batch, seen = [], set()
        while len(batch) < batch_size:
            free = [i for i, group in enumerate(left) if persons[group[0]] not in seen]
            i = (free or [0])[0]
            room = batch_size - len(batch)
            taken, rest = left[i][:room], left[i][room:]
            batch += taken
            seen.add(persons[taken[0]])
            left[i:i + 1] = [rest] if rest else []
        batches.append(batch)
    return batches


@pytest.mark.parametrize('seed', range(5))
@pytest.mark.parametrize('count, batch_size', [(40, 8), (7, 5), (3, 4)])
def test_batches_are_those_of_the_plain_rule(seed, count, batch_size):
    persons = people(seed, count)
    groups = cut_groups(persons, 2, np.random.default_rng(seed))
    filled = fill_batches(groups, persons, batch_size)
    assert [sorted(row) for row in filled.tolist()] == [
        sorted(row) for row in slow_fill(groups, persons, batch_size)]


def test_a_person_gives_one_or_two_and_both_come():
    persons, counts = people(count=300), Counter()
    batches = items(sampler_of(persons, 16))
    assert len(batches) == len(persons) // 16 and len({i for b in batches for i in b}) == len(
        batches) * 16
    for batch in batches[:-3]:
        inside = Counter(persons[batch].tolist())
        assert max(inside.values()) <= 2
        counts.update(inside.values())
    assert counts[1] > 100 and counts[2] > 100


def test_one_person_alone_still_fills_the_batches():
    batches = items(sampler_of(np.zeros(11, dtype=int), 4))
    assert sorted(map(len, batches)) == [4, 4]


def test_an_epoch_is_a_function_of_its_seed_and_all_processes_share_it(monkeypatch):
    persons = people()
    whole = sampler_of(persons, 8)
    first = items(whole)
    assert items(whole) == first and len(whole) == len(first)
    whole.sampler.set_epoch(1)
    assert items(whole) != first
    shares = []
    for rank in (0, 1):
        monkeypatch.setattr(samplers, 'get_dist_info', lambda rank=rank: (rank, 2))
        shares.append(items(sampler_of(persons, 4)))
    assert [a + b for a, b in zip(*shares, strict=True)] == first


def test_a_resumed_epoch_goes_on_where_it_was():
    sampler = sampler_of(people(), 8)
    whole = list(sampler)
    sampler.sampler.begun = (0, 3 * 8)
    assert list(sampler) == whole[3:]


@pytest.mark.parametrize('build, says', [
    (lambda: sampler_of(people(), 8, max_instances=0), 'max_instances must be at least 1, got 0'),
    (lambda: sampler_of(people(), 999), '999 items are needed .* lower the batch size'),
    (lambda: RandomCountBatchSampler(SeededSampler([1, 2], seed=0), 1), 'list has no `person_ids`'),
    (lambda: RandomCountBatchSampler([1, 2], 1), 'needs `sampler=dict.type=SeededSampler.`, got ')])
def test_what_it_cannot_work_with_is_named(build, says):
    with pytest.raises((ValueError, TypeError), match=says):
        build()
