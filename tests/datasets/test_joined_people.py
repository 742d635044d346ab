"""People of several annotation files: kept apart unless they are the same, and found again."""

import json
import logging

import pytest
from mmengine.logging import MMLogger

from mmtbps.datasets import TBPSDataset
from mmtbps.datasets.people import count_ids_in_both, find_leaks, people_in


@pytest.fixture
def joined(write_dataset, tmp_path):
    """A function that builds a data set of several files, each of (image, id, split, source)."""

    def make(*files, **settings):
        for number, rows in enumerate(files):
            write_dataset([dict(image=image, person_id=person, split=split, captions=[image],
                                **(dict(source=source) if source else {}))
                           for image, person, split, source in rows],
                          f'{number}.jsonl', 'image', images=f'imgs{number}')
        return TBPSDataset(**{
            'data_root': str(tmp_path), 'ann_file': [f'{i}.jsonl' for i in range(len(files))],
            'data_prefix': dict(img_path=[f'imgs{i}' for i in range(len(files))]), **settings})

    return make


FIRST = [('a.jpg', 1, 'train', None), ('b.jpg', 2, 'train', None), ('c.jpg', 5, 'test', None)]
SECOND = [('a.jpg', 1, 'train', None), ('d.jpg', 7, 'train', None), ('e.jpg', 5, 'test', None)]


def test_equal_ids_of_two_files_are_two_people(joined):
    train = joined(FIRST, SECOND)
    assert train.person_ids.tolist() == [0, 1, 2, 3]
    test = joined(FIRST, SECOND, split='test', test_mode=True)
    # Those of the second file, 1 to 7, are counted on from 5, the largest of the first.
    assert test.person_ids.tolist() == [5, 10]
    assert test[1]['img_path'].endswith('imgs1/e.jpg')


def test_equal_ids_are_one_person_if_the_user_says_so(joined):
    settings = dict(shared_ids=True)
    assert joined(FIRST, SECOND, **settings).person_ids.tolist() == [0, 1, 0, 2]
    test = joined(FIRST, SECOND, split='test', test_mode=True, **settings)
    assert test.person_ids.tolist() == [5, 5]


def test_different_ids_stay_as_they_are(joined):
    others = [('x.jpg', 40, 'test', None), ('y.jpg', 3, 'test', None)]
    test = joined(FIRST, others, split='test', test_mode=True)
    assert test.person_ids.tolist() == [5, 40, 3]


def test_ids_in_both_are_logged_and_counted(joined):
    lines, handler = [], logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    records = joined(FIRST, SECOND, lazy_init=True).read_records()
    logger.removeHandler(handler)
    assert count_ids_in_both(records) == {('0.jsonl', '1.jsonl'): 2}
    assert any('0.jsonl and 1.jsonl have 2 ids in common' in line for line in lines)


@pytest.fixture
def pairs():
    """Generated from file 0: an edit that keeps the person, and one of a new person."""
    return [('g1.png', 2, 'train', 'b.jpg'), ('g2.png', 6, 'train', 'a.jpg')]


def test_a_generated_pair_keeps_the_person_of_its_original(joined, pairs):
    train = joined(FIRST, pairs)
    assert train.person_ids.tolist() == [0, 1, 1, 2]
    assert train.family_ids.tolist() == [0, 1, 1, 0]


def test_new_people_of_two_generations_are_not_one(joined, pairs):
    train = joined(FIRST, pairs, [('h.png', 6, 'train', 'b.jpg')])
    assert train.person_ids.tolist() == [0, 1, 1, 2, 3]
    assert train.family_ids.tolist() == [0, 1, 1, 0, 1]


def test_pairs_follow_the_image_of_their_own_data_set(joined):
    """``a.jpg`` is in both files; a pair in the second file was made from the second's."""
    second = [*SECOND, ('g.png', 1, 'train', 'a.jpg')]
    train = joined(FIRST, second)
    assert train.person_ids.tolist() == [0, 1, 2, 3, 2]


def test_holding_out_one_person_leaves_the_other_file_alone(joined):
    """Both files have an ``a.jpg``, and a pair made from the one of the second file."""
    second = [*SECOND, ('g.png', 30, 'train', 'a.jpg')]
    for seed in range(8):
        val = joined(FIRST, second, holdout=1, holdout_seed=seed, split='val', test_mode=True)
        train = joined(FIRST, second, holdout=1, holdout_seed=seed)
        kept = {train[i]['img_path'].rpartition('/imgs')[2] for i in range(len(train))}
        assert ('1/g.png' in kept) == (not val[0]['img_path'].endswith('imgs1/a.jpg'))


def test_one_image_in_two_files_asks_for_the_answer(joined):
    settings = dict(data_prefix=dict(img_path='imgs0'), ann_file=['0.jsonl', '1.jsonl'])
    with pytest.raises(ValueError, match=r'1\.jsonl, record 1: a\.jpg is person 1, as in '
                                         r'0\.jsonl, record 1.*shared_ids=True'):
        joined(FIRST, SECOND[:1], **settings)
    assert joined(FIRST, SECOND[:1], shared_ids=True, **settings).person_ids.tolist() == [0, 1]


def test_leaks_are_found_through_generated_pairs(joined):
    rows = [('a.jpg', 1, 'train', None), ('b.jpg', 1, 'test', None), ('c.jpg', 2, 'val', None),
            ('d.jpg', 3, 'test', None)]
    generated = [('g.png', 9, 'train', 'd.jpg')]
    leaks = find_leaks(joined(rows, generated, lazy_init=True).read_records())
    assert leaks == ["2 people (0.jsonl id 1, 0.jsonl id 3) in split 'train' and in split 'test'"]
    assert find_leaks(joined(FIRST, lazy_init=True).read_records()) == []


def test_an_image_under_two_names_of_people_leaks_too(joined):
    rows = [('a.jpg', 1, 'train', None), ('a.jpg', 2, 'test', None)]
    leak, = find_leaks(joined(rows, lazy_init=True).read_records())
    assert leak.startswith("1 images in split 'train' and in split 'test'")


def test_people_are_the_same_in_other_joins(joined, tmp_path):
    """So train with generated pairs and val without can be compared."""
    together = people_in(joined(FIRST, SECOND, lazy_init=True).select_records())
    alone = people_in(TBPSDataset(
        data_root=str(tmp_path), ann_file='1.jsonl', data_prefix=dict(img_path='imgs1'),
        lazy_init=True).select_records())
    assert {(person.file.name, person.id) for person in together & alone} == {
        ('1.jsonl', 1), ('1.jsonl', 7)}


def test_pairs_in_the_format_of_cuhk_pedes_know_their_source(cuhk_root, cuhk_records):
    from mmtbps.datasets import CUHKPEDES
    records = [*cuhk_records[:4], dict(cuhk_records[0], file_path='new.png', id=90,
                                       source='CUHK01/0363004.png')]
    (cuhk_root / 'reid_raw.json').write_text(json.dumps(records))
    found = CUHKPEDES(data_root=str(cuhk_root), lazy_init=True).read_records()
    assert found[-1].original == found[0].identity
