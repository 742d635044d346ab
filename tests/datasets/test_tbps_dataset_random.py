"""TBPSDataset where chance plays: noisy correspondence and seeded items."""

import json
import random

import numpy as np
import pytest
import torch

from mmtbps.datasets import CUHKPEDES, SeededIndex
from mmtbps.registry import TRANSFORMS


@TRANSFORMS.register_module()
class DrawNumbers:
    """Stands for an augmentation: one draw of each generator a sample can see."""

    def __call__(self, item):
        return dict(item, numpy=np.random.rand(), python=random.random())


def captions_of(dataset):
    return [dataset[i]['caption'] for i in range(len(dataset))]


# Noisy correspondence --------------------------------------------------------------------------

def test_noise_moves_captions_and_nothing_else(build, own):
    clean, noisy = build(own), build(own, noise_rate=0.5, noise_seed=1)
    moved = [a != b for a, b in zip(captions_of(clean), captions_of(noisy), strict=True)]
    assert 0 < sum(moved) <= 8
    assert sorted(captions_of(clean)) == sorted(captions_of(noisy))
    assert noisy.person_ids.tolist() == clean.person_ids.tolist()
    assert [noisy[i]['img_path'] for i in range(16)] == [clean[i]['img_path'] for i in range(16)]
    assert captions_of(noisy) == captions_of(build(own, noise_rate=0.5, noise_seed=1))
    assert captions_of(noisy) != captions_of(build(own, noise_rate=0.5, noise_seed=2))


def test_a_published_noise_index_counts_empty_captions(build, edit_line, own, tmp_path):
    edit_line(1, captions=['', 'first'])
    order = np.roll(np.arange(16), 1)
    np.save(tmp_path / 'noise.npy', order)
    dataset = build(own, noise_index=str(tmp_path / 'noise.npy'))
    texts = [caption for line in (own / 'pairs.jsonl').read_text().splitlines()
             for caption in json.loads(line)['captions']]
    assert captions_of(dataset) == [texts[i] for i in order if texts[i]]


@pytest.mark.parametrize(('index', 'message'), [
    (np.arange(15), r'shape \(15,\), but the split has 16 captions'),
    (np.zeros(16, dtype=int), 'no permutation of 0..15')])
def test_a_wrong_noise_index_is_refused(build, own, tmp_path, index, message):
    np.save(tmp_path / 'noise.npy', index)
    with pytest.raises(ValueError, match=message):
        build(own, noise_index=str(tmp_path / 'noise.npy'))


@pytest.mark.parametrize('kwargs', [dict(split='test', test_mode=True), dict(test_mode=True)])
def test_noise_is_for_training_only(cuhk_root, kwargs):
    with pytest.raises(ValueError, match='for training on split train'):
        CUHKPEDES(data_root=str(cuhk_root), noise_rate=0.2, **kwargs)


# Seeded items ----------------------------------------------------------------------------------

def test_a_seeded_index_fixes_the_augmentation(build, own):
    dataset = build(own, pipeline=[dict(type='mmtbps.DrawNumbers')])
    np.random.seed(0)
    random.seed(0)
    torch.manual_seed(0)
    before = (np.random.get_state()[1].tolist(), random.getstate(), torch.get_rng_state().tolist())
    first = dataset[SeededIndex(3, 77)]
    after = (np.random.get_state()[1].tolist(), random.getstate(), torch.get_rng_state().tolist())
    assert before == after
    np.random.rand(5)
    assert dataset[SeededIndex(3, 77)] == first
    assert dataset[SeededIndex(3, 78)]['numpy'] != first['numpy']
    assert first['numpy'] == np.random.RandomState(77).rand()
    assert first['python'] == random.Random(77).random()


def test_a_plain_index_uses_the_ambient_state(build, own):
    dataset = build(own, pipeline=[dict(type='mmtbps.DrawNumbers')])
    np.random.seed(5)
    assert dataset[3]['numpy'] == np.random.RandomState(5).rand()
    assert dataset[np.int64(3)]['numpy'] != dataset[3]['numpy']


def test_the_random_state_is_restored_after_an_error(build, own):
    def faulty(item):
        raise KeyError

    np.random.seed(0)
    before = np.random.get_state()[1].tolist()
    with pytest.raises(KeyError):
        build(own, pipeline=[faulty])[SeededIndex(0, 1)]
    assert np.random.get_state()[1].tolist() == before


def test_a_worker_gives_the_same_numbers_and_the_main_process_keeps_its_own(build, own):
    dataset = build(own, pipeline=[DrawNumbers()])
    indices = [SeededIndex(3, 7), SeededIndex(4, 8), SeededIndex(3, 7)]
    np.random.seed(5)
    random.seed(5)
    expected = np.random.rand(), random.random()
    np.random.seed(5)
    random.seed(5)
    here = [dataset[index] for index in indices]
    assert (np.random.rand(), random.random()) == expected
    loader = torch.utils.data.DataLoader(dataset, batch_size=None, sampler=indices, num_workers=1)
    assert list(loader) == here
