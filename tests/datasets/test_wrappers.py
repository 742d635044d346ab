"""Wrappers of data sets against a slow reference: people apart, weights, seeds, processes."""

import json
import math
import pickle
from collections import Counter

import numpy as np
import pytest
from mmengine import dataset as stock
from mmengine.registry import DefaultScope

from mmtbps.datasets import (
    CUHKPEDES,
    ClassBalancedDataset,
    ConcatDataset,
    DrawnPEDES,
    IdentitySampler,
    RepeatDataset,
    SeededIndex,
    SeededSampler,
    TBPSDataset,
    UniquePersonBatchSampler,
    samplers,
)
from mmtbps.datasets.samplers import UnfitSampler
from mmtbps.errors import BadValue
from mmtbps.registry import DATASETS


def augment(item):
    """A transform that draws from NumPy, as ours do."""
    return dict(item, drawn=float(np.random.rand()))


@pytest.fixture
def own(tmp_path, write_dataset, pair_records):
    """Users' own pairs, whose raw ids overlap with those of CUHK-PEDES, and two generated ones."""
    records = pair_records({1: 3, 3: 1, 5: 2, 11: 4})
    for number, weight in ((0, .5), (1, .25)):
        records.append(dict(image=f'new/{number}.jpg', captions=['A new one.'], split='train',
                            person_id=900 + number, source=records[number]['image'],
                            pair_weight=weight))
    return write_dataset(records, 'own.jsonl', 'image', root=tmp_path / 'own')


@pytest.fixture
def settings(cuhk_root, own, micro_set):
    """CUHK-PEDES, own and generated pairs, and drawn ones, as a config names them."""
    return [dict(type='CUHKPEDES', data_root=str(cuhk_root), split='train', pipeline=[augment]),
            dict(type='TBPSDataset', data_root=str(own), ann_file='own.jsonl',
                 data_prefix=dict(img_path='imgs'), split='train', pipeline=[augment]),
            dict(type='DrawnPEDES', data_root=str(micro_set), split='train', pipeline=[augment])]


def build(settings):
    with DefaultScope.overwrite_default_scope('mmtbps'):
        return DATASETS.build(settings)


def reference(settings, weights):
    """Items in order, each as (path, caption, person, weight), from the files themselves."""
    items = []
    for one, weight in zip(settings, weights, strict=True):
        cuhk, own = one['type'] == 'CUHKPEDES', one['type'] == 'TBPSDataset'
        root, found = one['data_root'], []
        if own:
            with open(f'{root}/own.jsonl', encoding='utf-8') as file:
                records = [json.loads(line) for line in file]
        else:
            with open(f'{root}/reid_raw.json', encoding='utf-8') as file:
                records = json.load(file)
        for record in records:
            if record['split'] != 'train':
                continue
            image = record['image' if own else 'file_path']
            person = record['person_id' if own else 'id']
            for caption in record['captions']:
                found.append((f'{root}/imgs/{image}', caption, (root, person),
                              weight * record.get('pair_weight', 1.)))
        assert found and (not cuhk or len(found) == 9)
        items += found
    return items


def seen(item):
    return item['img_path'], item['caption'], item.get('pair_weight', 1.)


def test_items_people_and_weights_of_four_sources(settings):
    weights = [1., .5, .25]
    dataset = build(dict(type='ConcatDataset', datasets=settings, weights=weights))
    expected = reference(settings, weights)
    assert type(dataset) is ConcatDataset and isinstance(dataset, stock.ConcatDataset)
    assert [type(part) for part in dataset.datasets] == [CUHKPEDES, TBPSDataset, DrawnPEDES]
    items = [dataset[row] for row in range(len(dataset))]
    assert [seen(item) for item in items] == [(path, caption, pytest.approx(weight))
                                              for path, caption, _, weight in expected]
    # One number a person of one file, none twice, from 0 without a gap.
    numbers = {}
    for item, (_, _, person, _) in zip(items, expected, strict=True):
        assert numbers.setdefault(person, item['person_id']) == item['person_id']
    assert sorted(numbers.values()) == list(range(dataset.metainfo['num_persons']))
    pictures = {}
    for item in items:
        assert pictures.setdefault(item['img_path'], item['image_id']) == item['image_id']
    assert sorted(pictures.values()) == list(range(dataset.num_images))
    for ids, key in ((dataset.person_ids, 'person_id'), (dataset.image_ids, 'image_id')):
        assert ids.dtype == np.int64 and ids.tolist() == [item[key] for item in items]
    assert [item['sample_idx'] for item in items] == list(range(len(dataset)))
    assert [dataset.get_data_info(row)['person_id'] for row in (0, -1)] == [
        items[0]['person_id'], items[-1]['person_id']]


def test_a_generated_pair_is_of_the_family_of_its_source(settings):
    dataset = ConcatDataset([build(one) for one in settings])
    rows = {dataset.get_data_info(row)['img_path']: row for row in range(len(dataset))}
    new = [row for path, row in rows.items() if '/new/' in path]
    assert len(new) == 2
    for row in new:
        owner = dataset.family_ids[row]
        assert owner != dataset.person_ids[row] and owner in dataset.person_ids
    others = np.delete(np.arange(len(dataset)), new)
    assert (dataset.family_ids == dataset.person_ids)[others].all()
    batches = UniquePersonBatchSampler(SeededSampler(dataset, seed=0), 4, 'family_ids')
    for batch in batches:
        assert len({int(dataset.family_ids[item.index]) for item in batch}) == 4


def test_one_file_in_two_parts_has_the_same_people(cuhk_root):
    """As in two halves with pipelines of their own."""
    both = ConcatDataset([CUHKPEDES(data_root=str(root), split='train', indices=chosen)
                          for root, chosen in ((cuhk_root, [0, 1, 5, 6]),
                                               (f'{cuhk_root}/../{cuhk_root.name}', [2, 7, 8]))])
    whole = CUHKPEDES(data_root=str(cuhk_root), split='train')
    assert both.person_ids.tolist() == whole.person_ids[[0, 1, 5, 6, 2, 7, 8]].tolist()
    assert both.metainfo['num_persons'] == whole.metainfo['num_persons'] == 3


def test_nested_wrappers_number_as_the_flat_reference(settings):
    nested = dict(type='ConcatDataset', weights=[1., 2.], datasets=[
        dict(type='RepeatDataset', times=3, dataset=dict(
            type='ConcatDataset', datasets=settings[:2], weights=[1., .5])), settings[2]])
    dataset = build(nested)
    flat = reference(settings[:2], [1., .5]) * 3 + reference(settings[2:], [2.])
    items = [dataset[row] for row in range(len(dataset))]
    assert [seen(item) for item in items] == [(path, caption, pytest.approx(weight))
                                              for path, caption, _, weight in flat]
    assert [item['sample_idx'] for item in items] == list(range(len(flat)))
    numbers = {}
    for item, (_, _, person, _) in zip(items, flat, strict=True):
        assert numbers.setdefault(person, item['person_id']) == item['person_id']
    assert len(set(numbers.values())) == len(numbers)
    again = pickle.loads(pickle.dumps(dataset))
    assert again[5]['person_id'] == items[5]['person_id']


def test_balancing_repeats_the_items_of_rare_people(own):
    part = TBPSDataset(data_root=str(own), ann_file='own.jsonl',
                       data_prefix=dict(img_path='imgs'), split='train')
    dataset = ClassBalancedDataset(part, oversample_thr=.4)
    counts, expected = Counter(part.person_ids.tolist()), []
    for row, person in enumerate(part.person_ids.tolist()):
        share = counts[person] / len(part)
        expected += [row] * math.ceil(max(1, math.sqrt(.4 / share)))
    assert dataset.person_ids.tolist() == part.person_ids[expected].tolist()
    assert [dataset[row]['sample_idx'] for row in range(len(dataset))] == list(range(len(dataset)))
    assert len(dataset) > len(part)
    # MMEngine's own computation, which asks for the categories of each item.
    assert stock.ClassBalancedDataset(part, .4).repeat_indices == expected


@pytest.mark.parametrize('kind', ['unique', 'identity', 'seeded'])
def test_two_processes_see_what_one_does(settings, monkeypatch, kind):
    dataset = build(dict(type='ConcatDataset', datasets=[
        settings[0], dict(type='RepeatDataset', dataset=settings[1], times=2), settings[2]]))

    def batches(rank, world, size, epoch=3):
        monkeypatch.setattr(samplers, 'get_dist_info', lambda: (rank, world))
        if kind == 'identity':
            sampler = IdentitySampler(dataset, num_persons=size, num_instances=2, seed=5)
        else:
            sampler = SeededSampler(dataset, seed=5)
        sampler.set_epoch(epoch)
        if kind == 'unique':
            return list(UniquePersonBatchSampler(sampler, size))
        found = list(sampler)
        step = 2 * size if kind == 'identity' else size
        return [found[start:start + step] for start in range(0, len(found), step)]

    alone = batches(0, 1, 8)
    halves = batches(0, 2, 4), batches(1, 2, 4)
    joined = [first + second for first, second in zip(*halves, strict=True)]
    if kind == 'seeded':  # MMEngine's way: every other item
        joined = [[one for two in zip(*pair, strict=True) for one in two]
                  for pair in zip(*halves, strict=True)]
        alone, joined = alone[:-1], joined[:-1]
    assert len(alone) > 3 and alone == joined[:len(alone)]
    for batch, other in zip(alone[:4], joined, strict=False):
        pictures = [dataset[index] for index in batch]
        assert pictures == [dataset[index] for index in other]
        if kind == 'unique':
            assert len({item['person_id'] for item in pictures}) == 8
        assert len({item['drawn'] for item in pictures}) == len(pictures)


def test_an_item_drawn_twice_is_augmented_anew(settings):
    dataset = RepeatDataset(build(settings[0]), times=2)
    sampler, half = SeededSampler(dataset, seed=1), len(dataset) // 2
    items = {index.index: dataset[index] for index in sampler}
    for row in range(half):
        assert items[row]['img_path'] == items[row + half]['img_path']
        assert items[row]['drawn'] != items[row + half]['drawn']
    assert dataset[SeededIndex(0, 7)] == dataset[SeededIndex(0, 7)]


def test_another_item_in_place_of_a_broken_image_keeps_its_own_number(settings, cuhk_root):
    (cuhk_root / 'imgs/CUHK01/0363004.png').write_bytes(b'no picture')
    load = dict(type='LoadImageFromFile')
    parts = [dict(one, pipeline=[load]) for one in (settings[1], settings[0])]
    dataset = build(dict(type='ConcatDataset', datasets=parts))
    start = len(dataset.datasets[0])
    got = dataset[start]
    assert got['img_path'].endswith('0363005.png') and got['sample_idx'] == start + 2
    assert got['person_id'] == dataset.person_ids[start + 2] == dataset.person_ids[start]


def test_the_metainfo_names_all_parts(settings):
    info = build(dict(type='ConcatDataset', datasets=settings)).metainfo
    assert info['dataset_name'] == 'CUHK-PEDES + pairs + DrawnPEDES' and info['split'] == 'train'
    assert sorted(info['ann_files']) == ['CUHK-PEDES/reid_raw.json', 'DrawnPEDES/reid_raw.json',
                                         'pairs/own.jsonl']


@pytest.mark.parametrize('make, said', [
    (lambda part: ConcatDataset([]), 'at least one'),
    (lambda part: ConcatDataset([part], weights=[1., 1.]), 'weights must be 1 numbers'),
    (lambda part: ConcatDataset([part], weights=[-1.]), 'at least 0'),
    (lambda part: ConcatDataset([part], weights=[math.nan]), 'at least 0'),
    (lambda part: RepeatDataset(part, times=0), 'times must be'),
    (lambda part: ConcatDataset([part, CUHKPEDES(data_root=part.data_root, split='test',
                                                 test_mode=True)]), 'in test mode')])
def test_what_cannot_be_is_named(cuhk_root, make, said):
    with pytest.raises(BadValue, match=said):
        make(CUHKPEDES(data_root=str(cuhk_root), split='train'))


def test_data_sets_without_people_and_wrappers_without_seeds_are_refused(cuhk_root):
    part = CUHKPEDES(data_root=str(cuhk_root), split='train')
    with pytest.raises(UnfitSampler, match='BaseDataset has no `get_item`'):
        ConcatDataset([part, stock.BaseDataset(lazy_init=True)])
    with pytest.raises(UnfitSampler, match='use mmtbps.datasets.RepeatDataset'):
        SeededSampler(stock.RepeatDataset(part, 2), seed=0)
    with pytest.raises(IndexError, match='9 items, got index 9'):
        ConcatDataset([part])[9]
