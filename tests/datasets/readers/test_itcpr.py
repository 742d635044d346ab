"""ITCPR: composed queries in the item contract, and what is measured of them."""

import pytest
import torch
from published_samples import FEMALE, MALE, OLD

from mmtbps.datasets import ITCPR, TBPSDataset
from mmtbps.errors import BadValue, RecordError
from mmtbps.evaluation import RankKMetric
from mmtbps.records import PairRecord


@pytest.fixture
def test_set(write_sample):
    return ITCPR(**write_sample('itcpr'), split='test', test_mode=True)


def names(paths, root):
    return [path.removeprefix(f'{root}/') for path in paths]


def test_an_item_is_a_gallery_image_with_the_queries_that_it_answers(test_set, tmp_path):
    items = [test_set[i] for i in range(len(test_set))]
    assert names([item['img_path'] for item in items], tmp_path) == [
        'LAST/2.jpg', 'LAST/3.jpg', 'PRCC/2.jpg', 'PRCC/3.jpg', 'PRCC/4.jpg']
    assert [item['captions'] for item in items] == [[OLD], [], [MALE, FEMALE], [], []]
    assert [names(item['query_img_paths'], tmp_path) for item in items] == [
        ['LAST/1.jpg'], [], ['PRCC/1.jpg', 'LAST/9.jpg'], [], []]
    assert not test_set.skipped


def test_answers_are_those_of_the_instance_and_nobody_is_somebody(test_set):
    people = test_set.person_ids.tolist()
    assert people[2] == people[3] and len(set(people)) == 4  # both answer instance 4
    assert [person < 0 for person in people] == [False, True, False, False, True]


def test_the_protocol_says_that_captions_alone_are_ranked(test_set, caplog):
    metric = RankKMetric(directions=('t2i',))
    metric.dataset_meta = test_set.metainfo
    # Captions MALE and FEMALE point at the second image of instance 4, OLD at a stranger.
    images = torch.eye(5)
    texts = {OLD: images[1], MALE: images[3], FEMALE: images[3]}
    samples = [dict(image_feature=images[i], person_id=item['person_id'], image_id=item['image_id'],
                    text_features=torch.stack([texts[text] for text in item['captions']])
                    if item['captions'] else torch.zeros(0, 5))
               for i, item in enumerate(test_set[i] for i in range(5))]
    metric.process({}, samples)
    values = metric.evaluate(5)
    assert values['t2i/R1'] == pytest.approx(200 / 3) and values['t2i/queries'] == 3
    assert values['t2i/gallery'] == 5 and values['t2i/unmatched'] == 0
    words = metric._protocol(values, '')
    assert 'composed queries by their captions alone | positives: same instance' in words


def test_a_query_without_an_answer_is_counted(write_sample, tmp_path):
    write = write_sample('itcpr')
    (tmp_path / 'gallery.json').write_text('[{"file_path": "LAST/2.jpg", "instance_id": 2}]')
    dataset = ITCPR(**write, split='test', test_mode=True)
    assert len(dataset) == 1
    assert [(skip.file, skip.record, skip.kind) for skip in dataset.skipped] == [
        ('query.json', number, 'query without an answer') for number in (1, 3)]


def test_a_missing_picture_of_a_query_is_refused_or_leaves_the_query_out(write_sample, tmp_path):
    arguments = write_sample('itcpr')
    (tmp_path / 'PRCC/1.jpg').unlink()
    with pytest.raises(BadValue, match=r'1 of 8 images left out \(missing\), first .*PRCC/1.jpg'):
        ITCPR(**arguments, split='test', test_mode=True)
    dataset = ITCPR(**arguments, split='test', test_mode=True, allow_missing=True)
    assert dataset[2]['captions'] == [FEMALE]
    assert names(dataset[2]['query_img_paths'], tmp_path) == ['LAST/9.jpg']
    assert [skip.kind for skip in dataset.skipped] == ['picture of a query is missing or broken']


def test_composed_queries_are_not_trained_on(write_dataset, tmp_path):
    record = PairRecord('a.jpg', ('In red.',), 1, 'train', query_images=('b.jpg',))
    assert PairRecord.from_json(record.to_json()) == record
    write_dataset([record.to_json()], 'pairs.jsonl', 'image')
    with pytest.raises(BadValue, match='records with query_images are composed queries'):
        TBPSDataset(data_root=str(tmp_path), ann_file='pairs.jsonl',
                    data_prefix=dict(img_path='imgs'))


@pytest.mark.parametrize('images, message', [
    (['b.jpg', 'c.jpg'], "key 'query_images' must have a picture for each of the 1 captions"),
    ([3], "key 'query_images' must hold strings only, got 3"),
    (['../b.jpg'], 'leads out of the image folder')])
def test_pictures_of_queries_belong_to_captions(images, message):
    raw = dict(image='a.jpg', captions=['In red.'], person_id=1, split='test', query_images=images)
    with pytest.raises(RecordError, match=message):
        PairRecord.from_json(raw)
