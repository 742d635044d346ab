"""ICFG-PEDES: two file names, folders that are not the split, no val, held-out people."""

import pytest

from mmtbps.datasets import ICFGPEDES


@pytest.fixture
def icfg_records():
    """Twelve people of train with two images each, two of test; folders as in MSMT17."""
    records = [dict(split='train', captions=[f'Person {p}, image {i}.'], id=p, processed_tokens=[],
                    file_path=f'{("train", "test")[i]}/{p:04}/{p:04}_{i}.jpg')
               for p in range(12) for i in range(2)]
    records += [dict(split='test', captions=[f'Person {p}.'], id=p, processed_tokens=[],
                     file_path=f'train/{p:04}/0.jpg') for p in (12, 13)]
    return records


@pytest.fixture(params=['ICFG-PEDES.json', 'ICFG_PEDES.json'])
def icfg_root(write_dataset, icfg_records, request):
    return write_dataset(icfg_records, request.param, 'file_path')


def people(dataset):
    """Raw ids, read from the captions so that relabelling cannot hide a mistake."""
    captions = [caption for i in range(len(dataset)) for caption in
                dataset[i].get('captions', [dataset[i].get('caption')])]
    return {int(caption.split()[1].strip(',.')) for caption in captions}


@pytest.mark.parametrize('asked', ['', 'ICFG-PEDES.json', 'ICFG_PEDES.json'])
def test_both_file_names_are_found(icfg_root, asked):
    dataset = ICFGPEDES(data_root=str(icfg_root), ann_file=asked, split='test', test_mode=True)
    assert people(dataset) == {12, 13}
    assert list(dataset.metainfo['ann_files']) == [next(icfg_root.glob('*.json')).name]


@pytest.mark.parametrize(('holdout', 'count'), [(None, 1), (0.25, 3), (5, 5), (0.001, 1)])
def test_held_out_people_leave_train(icfg_root, holdout, count):
    train = ICFGPEDES(data_root=str(icfg_root), holdout=holdout)
    val = ICFGPEDES(data_root=str(icfg_root), holdout=holdout, split='val', test_mode=True)
    assert len(people(val)) == count
    assert people(train) | people(val) == set(range(12))
    assert not people(train) & people(val)
    assert len(train) == 24 - 2 * count and len(val) == 2 * count
    assert sorted(set(train.person_ids)) == list(range(12 - count))  # no gap in the labels


def test_hold_out_is_seeded_and_independent_of_the_order(icfg_records, write_dataset, tmp_path):
    held = []
    for name, records in (('a', icfg_records), ('b', icfg_records[::-1])):
        root = write_dataset(records, 'ICFG-PEDES.json', 'file_path', root=tmp_path / name)
        held.append([people(ICFGPEDES(data_root=str(root), holdout=4, holdout_seed=seed,
                                      split='val', test_mode=True)) for seed in range(4)])
    assert held[0] == held[1]
    assert any(held[0][0] != other for other in held[0][1:])


def test_without_hold_out_train_is_whole_and_val_does_not_exist(icfg_root):
    assert people(ICFGPEDES(data_root=str(icfg_root), holdout=0)) == set(range(12))
    with pytest.raises(ValueError, match=r"split 'val' is in none.*'train' \(24 .*holdout=0\.1"):
        ICFGPEDES(data_root=str(icfg_root), holdout=0, split='val', test_mode=True)


def test_test_split_is_never_touched(icfg_root):
    for holdout in (0, 0.1, 6):
        dataset = ICFGPEDES(data_root=str(icfg_root), split='test', test_mode=True,
                            holdout=holdout)
        assert dataset.person_ids.tolist() == [12, 13]


@pytest.mark.parametrize('holdout', [12, 40, 1.0 - 1e-9, -1])
def test_hold_out_of_everybody_is_refused(icfg_root, holdout):
    with pytest.raises(ValueError, match='of the 12 people'):
        ICFGPEDES(data_root=str(icfg_root), holdout=holdout)
