"""TBPSDataset: own data, several files, errors, subsets and wrappers."""

import hashlib
import json
import pickle

import numpy as np
import pytest
from mmengine.dataset import RepeatDataset

from mmtbps.datasets import CUHKPEDES, TBPSDataset
from mmtbps.records import RecordError
from mmtbps.registry import DATASETS


def captions_of(dataset):
    return [dataset[i]['caption'] for i in range(len(dataset))]


def test_own_data_from_the_registry(build, own):
    dataset = DATASETS.build(dict(
        type='TBPSDataset', data_root=str(own), ann_file='pairs.jsonl',
        data_prefix=dict(img_path='imgs')))
    assert len(dataset) == 16
    assert dataset.person_ids.tolist() == [0] * 6 + [1] * 2 + [2] * 4 + [3] * 4


def test_metainfo_names_the_annotations(build, own):
    digest = hashlib.sha256((own / 'pairs.jsonl').read_bytes()).hexdigest()
    assert build(own).metainfo == dict(
        dataset_name='pairs', split='train', num_persons=4, ann_files={'pairs.jsonl': digest})


def test_an_item_may_bring_all_captions_of_its_image(cuhk_root, cuhk_records):
    # The same image once more, in a record of its own, with a caption that is left out; and one of
    # somebody else.
    again = dict(cuhk_records[2], captions=['A red coat.', 'She walks.', ' '])
    other = dict(cuhk_records[0], id=3, captions=['A boy beside him.'])
    (cuhk_root / 'reid_raw.json').write_text(json.dumps([*cuhk_records, again, other]))
    found = {}
    for item in CUHKPEDES(str(cuhk_root), image_captions=True):
        found.setdefault(item['img_path'].rpartition('imgs/')[2], set()).add(
            (item['caption'], item['image_captions']))
    told = ('A woman in red.', 'A red coat.', 'She walks.')
    assert found['cam_a/000.png'] == {(caption, told) for caption in told}
    told = ('A pedestrian with dark hair.', 'He is tall.')
    assert found['CUHK01/0363004.png'] == {
        *((caption, told) for caption in told), ('A boy beside him.', ('A boy beside him.', ))}
    assert 'image_captions' not in CUHKPEDES(str(cuhk_root))[0]


# Several files ---------------------------------------------------------------------------------

@pytest.fixture
def with_generated(cuhk_root, write_image):
    """CUHK-PEDES with a file of generated pairs and their own image folder."""
    lines = []
    for number, source in enumerate(['CUHK01/0363004.png', 'cam_a/000.png']):
        write_image(cuhk_root / f'pdg/images/{number}.png')
        lines.append(json.dumps(dict(
            image=f'{number}.png', captions=['A green coat.'], person_id=20000 + number,
            split='train', source=source, edit=dict(new='green'), scores=dict(psnr=30.))))
    (cuhk_root / 'pdg/pairs.jsonl').write_text('\n'.join(lines) + '\n')
    return dict(data_root=str(cuhk_root), ann_file=['reid_raw.json', 'pdg/pairs.jsonl'],
                data_prefix=dict(img_path=['imgs', 'pdg/images']))


def test_generated_pairs_join_the_original(with_generated):
    dataset = CUHKPEDES(**with_generated)
    assert len(dataset) == 9 + 2
    assert dataset[9]['img_path'].endswith('pdg/images/0.png')
    assert dataset.person_ids.tolist()[-2:] == [3, 4]
    assert set(dataset.metainfo['ann_files']) == {'reid_raw.json', 'pdg/pairs.jsonl'}


def test_pairs_made_from_held_out_people_leave_train(with_generated, cuhk_root, cuhk_records):
    no_val = [record for record in cuhk_records if record['split'] != 'val']
    (cuhk_root / 'reid_raw.json').write_text(json.dumps(no_val))
    for seed in range(6):
        val = CUHKPEDES(**with_generated, split='val', holdout=1, holdout_seed=seed,
                        test_mode=True)
        train = CUHKPEDES(**with_generated, holdout=1, holdout_seed=seed)
        generated = [path for path in (train[i]['img_path'] for i in range(len(train)))
                     if '/pdg/' in path]
        assert not any('/pdg/' in val[i]['img_path'] for i in range(len(val)))
        expected = {1: ['1.png'], 5: ['0.png'], 3: ['0.png', '1.png']}[int(val.person_ids[0])]
        assert [path[-5:] for path in generated] == expected


def test_generated_pairs_are_refused_outside_train(with_generated, cuhk_root):
    path = cuhk_root / 'pdg/pairs.jsonl'
    path.write_text(path.read_text().replace('"split": "train"', '"split": "test"', 1))
    with pytest.raises(RecordError, match="record 1: a generated pair .* got 'test'"):
        CUHKPEDES(**with_generated)


def test_number_of_prefixes_must_fit(with_generated):
    with_generated['data_prefix'] = dict(img_path=['imgs', 'a', 'b'])
    with pytest.raises(ValueError, match='3 image folders for 2 annotation files'):
        CUHKPEDES(**with_generated)


# Errors ----------------------------------------------------------------------------------------

@pytest.mark.parametrize(('ann_file', 'images', 'named'), [
    ('nowhere.json', 'imgs', 'nowhere.json'), ('reid_raw.json', 'pictures', 'pictures')])
def test_missing_files_are_named_with_their_source(cuhk_root, ann_file, images, named):
    with pytest.raises(FileNotFoundError) as error:
        CUHKPEDES(data_root=str(cuhk_root), ann_file=ann_file, data_prefix=dict(img_path=images))
    assert str(cuhk_root / named) in str(error.value)
    assert 'ShuangLI59' in str(error.value)


def test_ann_file_is_needed_without_a_published_name(tmp_path):
    with pytest.raises(ValueError, match='TBPSDataset needs `ann_file`'):
        TBPSDataset(data_root=str(tmp_path))


def test_unknown_split_lists_what_there_is(cuhk_root):
    with pytest.raises(ValueError, match=r"split 'query' .*'train' \(4 records\), 'val' \(1"):
        CUHKPEDES(data_root=str(cuhk_root), split='query')


def test_hold_out_beside_a_val_split_is_refused(cuhk_root):
    with pytest.raises(ValueError, match='val split of their own.*set holdout=0'):
        CUHKPEDES(data_root=str(cuhk_root), holdout=0.5)


@pytest.mark.parametrize(('text', 'message'), [
    ('[{"split": "train"', r'reid_raw\.json:1: broken JSON'),
    ('[\n{"split": "train",\n}]', r'reid_raw\.json:[23]: broken JSON'),
    ('{"train": []}', 'expected a list of records'),
    ('["a"]', 'record 1: expected an object'),
    ('[{"split": "train", "captions": ["a"], "file_path": "x"}]', "record 1: key 'id' is missing"),
    ('[{"split": "train", "captions": "a", "file_path": "x", "id": 1}]',
     "record 1: key 'captions' must be a list"),
    ('[{"split": "train", "captions": [], "file_path": "x", "id": "1"}]',
     "record 1: key 'id' must be an integer, got '1'"),
])
def test_unreadable_annotations_name_file_record_and_key(cuhk_root, text, message):
    (cuhk_root / 'reid_raw.json').write_text(text)
    with pytest.raises(RecordError, match=message) as error:
        CUHKPEDES(data_root=str(cuhk_root))
    assert 'reid_raw.json' in str(error.value)


def test_latin1_annotations_are_refused(cuhk_root):
    (cuhk_root / 'reid_raw.json').write_bytes('["größer"]'.encode('latin-1'))
    with pytest.raises(RecordError, match='not UTF-8'):
        CUHKPEDES(data_root=str(cuhk_root))


# Subsets and wrappers --------------------------------------------------------------------------

@pytest.mark.parametrize('serialize_data', [True, False])
@pytest.mark.parametrize('indices', [5, -5, [1, 7, 12]])
def test_ids_follow_subsets(build, own, indices, serialize_data):
    whole = build(own)
    expected = np.arange(16)
    expected = (expected[indices] if isinstance(indices, list) else
                expected[:indices] if indices > 0 else expected[indices:])
    in_place = build(own, serialize_data=serialize_data)
    in_place.get_subset_(indices)
    for subset in (build(own, serialize_data=serialize_data, indices=indices), in_place,
                   build(own, serialize_data=serialize_data).get_subset(indices)):
        assert len(subset) == len(subset.person_ids) == len(subset.image_ids) == len(expected)
        assert captions_of(subset) == [whole[int(i)]['caption'] for i in expected]
        assert subset.person_ids.tolist() == whole.person_ids[expected].tolist()
        assert [item['image_id'] for item in map(subset.__getitem__, range(len(subset)))] == \
            subset.image_ids.tolist() == whole.image_ids[expected].tolist()


def test_lazy_init_reads_on_first_use(build, own):
    dataset = build(own, lazy_init=True)
    (own / 'pairs.jsonl').rename(own / 'hidden')
    with pytest.raises(FileNotFoundError):
        dataset.person_ids  # noqa: B018
    (own / 'hidden').rename(own / 'pairs.jsonl')
    assert len(dataset.person_ids) == 16


def test_dataset_can_be_iterated_pickled_and_wrapped(build, own):
    dataset = build(own)
    assert len(list(dataset)) == 16
    assert captions_of(pickle.loads(pickle.dumps(dataset))) == captions_of(dataset)
    assert RepeatDataset(dataset, times=2)[17]['caption'] == dataset[1]['caption']
    assert dataset[-1]['caption'] == dataset[15]['caption']
