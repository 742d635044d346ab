"""Samplers: unique people, equal shares, a function of (seed, epoch), inside the stock Runner."""

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from mmengine.dataset import DefaultSampler
from mmengine.hooks import DistSamplerSeedHook
from mmengine.runner import Runner

from mmtbps.datasets import (
    IdentitySampler,
    SeededIndex,
    SeededSampler,
    TBPSDataset,
    UniquePersonBatchSampler,
    samplers,
)
from mmtbps.datasets.samplers import count_full_batches, deal_batches


class People:
    """The part of a data set that samplers look at."""

    def __init__(self, person_ids):
        self.person_ids = np.asarray(person_ids)

    def __len__(self):
        return len(self.person_ids)


@pytest.fixture
def on_rank(monkeypatch):
    """A function that makes samplers believe they are one process of several."""

    def pretend(rank, world_size):
        monkeypatch.setattr(samplers, 'get_dist_info', lambda: (rank, world_size))

    return pretend


def person_counts(seed, people=40, most=6):
    rng = np.random.default_rng(seed)
    return rng.permutation(np.repeat(np.arange(people), rng.integers(1, most + 1, people)))


def indices(batches):
    return [[item.index for item in batch] for batch in batches]


# Dealing ---------------------------------------------------------------------------------------

def slow_most_batches(persons, batch_size):
    """Takes one item of each of the people with most items left: optimal, and obviously so."""
    left, batches = Counter(persons.tolist()), 0
    while len(left) >= batch_size:
        for person, _ in left.most_common(batch_size):
            left[person] -= 1
        left = +left
        batches += 1
    return batches


@pytest.mark.parametrize('seed', range(60))
def test_dealing_is_complete_and_unique(seed):
    rng = np.random.default_rng(seed)
    persons = rng.integers(0, rng.integers(1, 12), rng.integers(1, 70))
    if seed % 3 == 0:  # one person who owns most items
        persons = np.concatenate([persons, np.full(60, 99)])
    batch_size = int(rng.integers(1, 9))
    dealt = deal_batches(persons, batch_size, rng)
    assert dealt.shape == (slow_most_batches(persons, batch_size), batch_size)
    assert len(np.unique(dealt)) == dealt.size  # every item at most once
    assert all(len(set(persons[batch])) == batch_size for batch in dealt)


def test_what_must_stay_out_comes_from_the_end():
    persons = np.arange(10)
    dealt = deal_batches(persons, 4, np.random.default_rng(0))
    assert sorted(dealt.ravel().tolist()) == list(range(8))


def test_any_two_people_can_meet():
    persons = np.repeat(np.arange(8), 3)
    met = set()
    for seed in range(60):
        for batch in persons[deal_batches(persons, 4, np.random.default_rng(seed))]:
            met |= {(a, b) for a in batch.tolist() for b in batch.tolist()}
    assert len(met) == 8 * 8


def test_too_few_people_give_no_batch():
    assert count_full_batches(np.array([1, 1, 1, 2]), 3) == 0
    assert deal_batches(np.array([1, 1, 1, 2]), 3, np.random.default_rng(0)).shape == (0, 3)


# SeededSampler ---------------------------------------------------------------------------------

@pytest.mark.parametrize('round_up', [True, False])
@pytest.mark.parametrize('world_size', [1, 2, 3])
def test_seeded_sampler_shares_the_epoch_like_default_sampler(on_rank, monkeypatch, world_size,
                                                              round_up):
    data = People(range(10))
    seen = []
    for rank in range(world_size):
        on_rank(rank, world_size)
        monkeypatch.setattr('mmengine.dataset.sampler.get_dist_info',
                            lambda r=rank: (r, world_size))
        sampler = SeededSampler(data, shuffle=False, seed=0, round_up=round_up)
        default = DefaultSampler(data, shuffle=False, seed=0, round_up=round_up)
        assert [item.index for item in sampler] == list(default)
        assert len(sampler) == len(default) == len(list(sampler))
        shuffled = SeededSampler(data, seed=0, round_up=round_up)
        seen += [item.index for item in shuffled]
        assert len(shuffled) == len(list(shuffled))
    assert set(seen) == set(range(10))
    assert len(seen) == (-(-10 // world_size) * world_size if round_up else 10)


def test_an_item_has_one_seed_an_epoch_whatever_the_number_of_processes(on_rank):
    def seeds(world_size, epoch):
        found = {}
        for rank in range(world_size):
            on_rank(rank, world_size)
            sampler = SeededSampler(People(range(12)), seed=4)
            sampler.set_epoch(epoch)
            found.update({item.index: item.seed for item in sampler})
        return found

    assert seeds(1, 0) == seeds(2, 0) == seeds(3, 0)
    assert all(a != b for a, b in zip(seeds(1, 0).items(), seeds(1, 1).items(), strict=True))
    assert len(set(seeds(1, 0).values())) == 12


def test_seeded_sampler_epochs_differ_and_repeat():
    sampler = SeededSampler(People(range(50)), seed=1)
    orders = []
    for epoch in (0, 1, 0):
        sampler.set_epoch(epoch)
        orders.append(list(sampler))
    assert orders[0] == orders[2] != orders[1]
    assert orders[0] != list(SeededSampler(People(range(50)), seed=2))
    assert all(isinstance(item, SeededIndex) for item in orders[0])


def test_seed_is_agreed_on_when_not_given(monkeypatch):
    monkeypatch.setattr(samplers, 'sync_random_seed', lambda: 123)
    assert SeededSampler(People(range(5))).seed == 123
    assert SeededSampler(People(range(5)), seed=0).seed == 0


# UniquePersonBatchSampler ----------------------------------------------------------------------

@pytest.mark.parametrize('world_size', [1, 2, 4])
def test_no_person_twice_over_all_processes(on_rank, world_size):
    persons = person_counts(0)
    for epoch in range(3):
        ranks = []
        for rank in range(world_size):
            on_rank(rank, world_size)
            sampler = SeededSampler(People(persons), seed=9)
            batches = UniquePersonBatchSampler(sampler, batch_size=4)
            sampler.set_epoch(epoch)
            ranks.append(indices(batches))
            assert len(ranks[-1]) == len(batches) == slow_most_batches(persons, 4 * world_size)
        joined = [sum(parts, []) for parts in zip(*ranks, strict=True)]
        for batch in joined:
            assert len(set(persons[batch])) == len(batch) == 4 * world_size
        used = sum(joined, [])
        assert len(set(used)) == len(used)


def test_batches_are_a_function_of_seed_and_epoch():
    def run(seed, epoch):
        sampler = SeededSampler(People(person_counts(1)), seed=seed)
        batches = UniquePersonBatchSampler(sampler, batch_size=8)
        sampler.set_epoch(epoch)
        return list(batches)

    assert run(0, 3) == run(0, 3)
    assert run(0, 3) != run(0, 4)
    assert run(0, 3) != run(1, 3)


def test_left_out_items_change_with_the_epoch():
    sampler = SeededSampler(People(np.arange(103)), seed=0)
    batches = UniquePersonBatchSampler(sampler, batch_size=10)
    unused = set()
    for epoch in range(8):
        sampler.set_epoch(epoch)
        left = set(range(103)) - set(sum(indices(batches), []))
        assert len(left) == 3
        unused |= left
    assert len(unused) > 9


def test_people_with_one_image_take_part():
    sampler = SeededSampler(People([0] * 6 + [1, 2, 3, 4, 5, 6]), seed=0)
    batches = indices(UniquePersonBatchSampler(sampler, batch_size=2))
    assert len(batches) == 6
    assert sorted(sum(batches, [])) == list(range(12))


def test_too_large_batches_name_the_number_of_people(on_rank):
    on_rank(0, 2)
    sampler = SeededSampler(People([0, 0, 1, 1, 2]), seed=0)
    with pytest.raises(ValueError, match='4 different people .* has 3: lower the batch size'):
        UniquePersonBatchSampler(sampler, batch_size=2)


@pytest.mark.parametrize('kind', ['person_ids', 'family_ids'])
def test_the_former_name_of_distinct_by_is_read_with_a_warning(kind):
    data = People([0, 0, 1, 1, 2, 2, 3, 3])
    data.family_ids = np.array([0, 0, 1, 1, 0, 0, 1, 1])
    sampler = SeededSampler(data, seed=0)
    with pytest.warns(FutureWarning, match='is now distinct_by'):
        former = UniquePersonBatchSampler(sampler, batch_size=2, apart=kind)
    batches = indices(former)
    assert batches == indices(UniquePersonBatchSampler(sampler, batch_size=2, distinct_by=kind))
    assert all(len(set(getattr(data, kind)[batch])) == 2 for batch in batches)


def test_wrong_partners_are_named():
    with pytest.raises(TypeError, match='SeededSampler.*got DefaultSampler'):
        UniquePersonBatchSampler(DefaultSampler(People([0, 1]), seed=0), batch_size=1)
    with pytest.raises(TypeError, match='range has no `person_ids`'):
        UniquePersonBatchSampler(SeededSampler(range(4), seed=0), batch_size=1)


# IdentitySampler -------------------------------------------------------------------------------

@pytest.mark.parametrize('world_size', [1, 2])
def test_identity_sampler_gives_p_people_with_k_items(on_rank, world_size):
    persons = person_counts(2, people=12, most=9)
    ranks = []
    for rank in range(world_size):
        on_rank(rank, world_size)
        sampler = IdentitySampler(People(persons), num_persons=3, num_instances=4, seed=0)
        sampler.set_epoch(1)
        items = [item.index for item in sampler]
        assert len(items) == len(sampler) > 0
        ranks.append(np.array(items).reshape(-1, 12))
    joined = np.concatenate(ranks, axis=1)
    for batch in joined:
        assert sorted(Counter(persons[batch].tolist()).values()) == [4] * 3 * world_size
    # Items repeat only for people who own fewer than K.
    used = Counter(joined.ravel().tolist())
    owned = Counter(persons.tolist())
    assert all(owned[persons[item]] < 4 for item, times in used.items() if times > 1)


def test_identity_sampler_epochs_differ_and_repeat():
    sampler = IdentitySampler(People(person_counts(3)), num_persons=4, num_instances=2, seed=5)
    epochs = []
    for epoch in (0, 1, 0):
        sampler.set_epoch(epoch)
        epochs.append(list(sampler))
    assert epochs[0] == epochs[2] != epochs[1]


def test_identity_sampler_shows_every_item_in_time():
    sampler = IdentitySampler(People(np.repeat(np.arange(6), 7)), num_persons=3, num_instances=2,
                              seed=0)
    seen = set()
    for epoch in range(6):
        sampler.set_epoch(epoch)
        seen |= {item.index for item in sampler}
    assert seen == set(range(42))


def test_items_that_repeat_are_augmented_anew():
    data = People([0, 1, 1, 2, 2, 2, 2, 2])
    sampler = IdentitySampler(data, num_persons=3, num_instances=4, seed=0)
    items = list(sampler)
    assert len(items) == 12 and len(set(items)) == 12  # each time with another seed
    assert Counter(item.index for item in items)[0] == 4
    first_turns = {item.index: item.seed for item in reversed(items)}
    alone = {item.index: item.seed for item in SeededSampler(data, seed=0)}
    assert first_turns.items() <= alone.items()


def test_identity_sampler_needs_enough_people():
    with pytest.raises(ValueError, match='5 different people .* has 2'):
        IdentitySampler(People([0, 0, 1]), num_persons=5, num_instances=2, seed=0)


# In the stock Runner ---------------------------------------------------------------------------

@pytest.fixture
def loader_config(write_dataset, pair_records):
    root = write_dataset(pair_records({p: 1 + p % 3 for p in range(12)}), 'pairs.jsonl', 'image')

    def jitter(item):
        return dict(item, draw=np.random.rand())

    dataset = dict(type=TBPSDataset, data_root=str(root), ann_file='pairs.jsonl',
                   data_prefix=dict(img_path='imgs'), pipeline=[jitter])
    return dict(dataset=dataset, num_workers=0, batch_size=4)


def epoch_of(loader, epoch):
    """Run an epoch as MMEngine's train loop does, the hook included."""
    runner = SimpleNamespace(train_loop=SimpleNamespace(dataloader=loader), epoch=epoch)
    DistSamplerSeedHook().before_train_epoch(runner)
    return [list(zip(batch['caption'], batch['draw'], batch['person_id'], strict=True))
            for batch in loader]


UNIQUE = dict(sampler=dict(type=SeededSampler, shuffle=True),
              batch_sampler=dict(type=UniquePersonBatchSampler))
IDENTITY = dict(sampler=dict(type=IdentitySampler, num_persons=2, num_instances=2))


@pytest.mark.parametrize('parts', [UNIQUE, IDENTITY], ids=['unique', 'identity'])
def test_stock_runner_builds_and_seeds_the_loader(loader_config, parts):
    def fresh(**changes):
        return Runner.build_dataloader({**loader_config, **parts, **changes}, seed=3)

    loader = fresh()
    first, second = epoch_of(loader, 0), epoch_of(loader, 1)
    assert len(first) == len(second) == len(loader)
    assert first != second
    assert epoch_of(fresh(), 1) == second  # as after a resume
    assert epoch_of(fresh(num_workers=2), 1) == second  # whatever the number of workers
    distinct = 4 if parts is UNIQUE else 2
    assert all(len({person for _, _, person in batch}) == distinct for batch in first)


def test_stock_runner_may_slice_the_data_set(loader_config):
    loader = Runner.build_dataloader(
        {**loader_config, **UNIQUE, 'batch_size': 2, 'num_batch_per_epoch': 3}, seed=0)
    # The Runner keeps the first 6 items: one image of person 0, two of person 1, two captions each.
    batches = epoch_of(loader, 0)
    assert len(batches) == len(loader) == 2
    assert all({person for _, _, person in batch} == {0, 1} for batch in batches)
