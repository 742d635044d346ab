"""Choosing a split, with generated pairs in the file."""

from pathlib import Path

import pytest

from mmtbps.datasets.annotations import LocatedRecord, Source, find_sources, select_split
from mmtbps.datasets.people import number_people
from mmtbps.records import PairRecord

SOURCE = Source('a.jsonl', Path('a.jsonl'), Path('imgs'))


def located(*rows):
    return number_people([
        LocatedRecord(PairRecord(image, ('A man.',), person, split, source), SOURCE, number)
        for number, (image, person, split, source) in enumerate(rows, start=1)])


def images(chosen):
    return [item.record.image for item in chosen]


@pytest.fixture
def mixed():
    """Two real people; an edit of each, under the person's own id and under a new one."""
    return located(('r1', 1, 'train', None), ('r2', 2, 'train', None), ('t', 3, 'test', None),
                   ('g1', 1, 'train', 'r1'), ('g2', 2, 'train', 'r2'),
                   ('n1', 9, 'train', 'r1'), ('n2', 8, 'train', 'r2'))


@pytest.mark.parametrize('seed', range(8))
def test_generated_pairs_are_never_validated_nor_leak(mixed, seed):
    val = images(select_split(mixed, 'val', 1, seed))
    train = images(select_split(mixed, 'train', 1, seed))
    assert (val, train) in [(['r1'], ['r2', 'g2', 'n2']), (['r2'], ['r1', 'g1', 'n1'])]


def test_all_generated_pairs_train_without_hold_out(mixed):
    assert images(select_split(mixed, 'train', 0, 0)) == ['r1', 'r2', 'g1', 'g2', 'n1', 'n2']
    assert images(select_split(mixed, 'test', 1, 0)) == ['t']


def test_only_real_people_are_counted_for_the_hold_out(mixed):
    with pytest.raises(ValueError, match='hold 2 of the 2 people'):
        select_split(mixed, 'val', 2, 0)


def test_no_record_at_all():
    with pytest.raises(ValueError, match='; splits: none'):
        select_split([], 'train', 0, 0)


def test_an_alias_is_for_published_names_only(tmp_path):
    (tmp_path / 'b.json').touch()
    find = {'data_root': str(tmp_path), 'prefixes': [''], 'aliases': ['a.json', 'b.json'],
            'how_to_get': 'Ask.'}
    assert find_sources(names=['a.json'], **find)[0].ann_file == tmp_path / 'b.json'
    with pytest.raises(FileNotFoundError, match=r'c\.json not found\. Ask\.'):
        find_sources(names=['c.json'], **find)
    (tmp_path / 'a.json').touch()
    assert find_sources(names=['a.json'], **find)[0].ann_file == tmp_path / 'a.json'
