"""PDGTransform: whom it exchanges, for what, and that batches stay right."""

import json
from collections import Counter

import numpy as np
import pytest

from mmtbps.datasets import TBPSDataset, UniquePersonBatchSampler
from mmtbps.datasets.samplers import SeededSampler
from mmtbps.datasets.transforms import PDGTransform
from mmtbps.errors import Remedy
from mmtbps.fileio import append_json_lines
from mmtbps.records import PairRecord


@pytest.fixture
def generated(own):
    """Generated pairs of `own`: two of the first image of person 10, one of person 12's."""
    folder = own / 'pdg'
    folder.mkdir()
    for image, source, person, captions in [
            ('images/a.png', '10_0.jpg', 14, ('Green.', 'In green.')),
            ('images/b.png', '10_0.jpg', 15, ('Blue.',)),
            ('images/c.png', '12_1.jpg', 16, ('R.',))]:
        append_json_lines(folder / 'pairs.jsonl', [
            PairRecord(image, captions, person, 'train', source=source).to_json()])
    return folder / 'pairs.jsonl'


def make(own, generated, **kwargs):
    return PDGTransform(str(generated), source_root=str(own / 'imgs'), **kwargs)


def item(own, image, **fields):
    return dict(img_path=str(own / 'imgs' / image), caption='Red.', person_id=0, image_id=5,
                **fields)


def test_images_outside_the_folder_are_refused(own, generated):
    generated.write_text(generated.read_text().replace('images/a.png', '../../secret.png'))
    with pytest.raises(ValueError, match=r"pairs\.jsonl:1: image .*secret\.png' leads out"):
        make(own, generated)
    assert make(own, generated, allow_outside=True)


def test_a_pair_becomes_one_of_its_neighbours(own, generated):
    transform = make(own, generated, prob=1.)
    np.random.seed(0)
    seen = Counter()
    for _ in range(400):
        out = transform(item(own, '10_0.jpg'))
        seen[out['img_path'], out['caption'], out['person_id'], out['image_id']] += 1
    folder = str(generated.parent)
    share = {key: count / 400 for key, count in seen.items()}
    assert share == {
        (f'{folder}/images/a.png', 'Green.', 14, -1): pytest.approx(.25, abs=.07),
        (f'{folder}/images/a.png', 'In green.', 14, -1): pytest.approx(.25, abs=.07),
        (f'{folder}/images/b.png', 'Blue.', 15, -2): pytest.approx(.5, abs=.08)}


def test_a_neighbour_is_told_by_its_own_captions(own, generated):
    told = dict(image_captions=('Red.', 'In red.'))
    out = make(own, generated, prob=1.)(item(own, '12_1.jpg', **told))
    assert (out['caption'], out['image_captions']) == ('R.', ('R.',))
    kept = make(own, generated, prob=0.)(item(own, '12_1.jpg', **told))
    assert kept['image_captions'] == told['image_captions']
    assert 'image_captions' not in make(own, generated, prob=1.)(item(own, '12_1.jpg'))


def test_without_neighbours_nothing_changes(own, generated):
    transform = make(own, generated, prob=1.)
    before = item(own, '10_1.jpg')
    assert transform(dict(before)) == before
    captions = dict(img_path=str(own / 'imgs/10_0.jpg'), captions=['Red.'], person_id=10)
    state = np.random.get_state()[2]
    assert transform(dict(captions)) == captions and np.random.get_state()[2] == state


def test_an_exchanged_pair_has_its_weight(own, generated):
    lines = [json.loads(line) for line in generated.read_text().splitlines()]
    generated.write_text(''.join(json.dumps({**line, **weight}) + '\n' for line, weight in zip(
        lines, [dict(pair_weight=.25), dict(pair_weight=.75), {}], strict=True)))
    transform = make(own, generated, prob=1.)
    np.random.seed(0)
    seen = {(out['image_id'], out.get('pair_weight')) for out in (
        transform(item(own, image)) for image in ['10_0.jpg', '12_1.jpg'] * 40)}
    assert seen == {(-1, .25), (-2, .75), (-3, None)}
    assert 'pair_weight' not in make(own, generated, prob=0.)(item(own, '10_0.jpg'))


@pytest.mark.parametrize('prob', [0., .3, 1.])
def test_probability_and_seed(own, generated, prob):
    transform = make(own, generated, prob=prob)

    def exchanged():
        np.random.seed(3)
        return [transform(item(own, '10_0.jpg'))['person_id'] for _ in range(500)]

    first = exchanged()
    assert first == exchanged()
    assert np.mean(np.array(first) > 0) == pytest.approx(prob, abs=.07)


def test_an_item_takes_one_random_number_whatever_happens(own, generated):
    after = set()
    for prob, image in [(0., '10_0.jpg'), (1., '10_0.jpg'), (1., '10_1.jpg')]:
        np.random.seed(1)
        make(own, generated, prob=prob)(item(own, image))
        after.add(np.random.rand())
    assert len(after) == 1


def test_no_batch_calls_different_looks_one_person(own, generated, build):
    """Through data set and sampler: equal ids in a batch always mean an equal look."""
    data = build(own, pipeline=[dict(type=PDGTransform, ann_file=str(generated),
                                     source_root=str(own / 'imgs'), prob=.5)])
    assert isinstance(data, TBPSDataset)
    sampler = SeededSampler(data, seed=0)
    batches = UniquePersonBatchSampler(sampler, batch_size=4)
    exchanged = 0
    for epoch in range(20):
        sampler.set_epoch(epoch)
        for batch in batches:
            samples = [data[index] for index in batch]
            people = [sample['person_id'] for sample in samples]
            assert len(set(people)) == len(people)
            for sample in samples:
                is_new = 'pdg' in sample['img_path']
                assert is_new == (sample['person_id'] >= len(set(data.person_ids)))
                assert is_new == (sample['image_id'] < 0)
                exchanged += is_new
    assert exchanged > 3


def test_wrong_use_is_named(own, generated, tmp_path):
    with pytest.raises(ValueError, match='prob must lie'):
        make(own, generated, prob=2)
    with pytest.raises(FileNotFoundError, match='merging a generation run makes it') as error:
        make(own, own / 'none.jsonl')
    assert error.value.remedy == Remedy('generate_merge')
    with pytest.raises(FileNotFoundError, match='source_root='):
        PDGTransform(str(generated), source_root=str(own))
    with pytest.raises(ValueError, match='first in the pipeline'):
        make(own, generated)(item(own, '10_0.jpg', img=np.zeros((2, 2, 3), np.uint8)))
    (own / 'empty.jsonl').touch()
    with pytest.raises(ValueError, match='holds no pairs'):
        make(own, own / 'empty.jsonl')
    with pytest.raises(ValueError, match='record 1: not a generated pair'):
        make(own, own / 'pairs.jsonl')
