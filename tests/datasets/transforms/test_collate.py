"""stack_pairs: the model sees what it sees with MMEngine's pseudo_collate."""

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.registry import FUNCTIONS
from torch.utils.data import DataLoader

from mmtbps.datasets import stack_pairs
from mmtbps.datasets.transforms import PackTextImage


def item(seed, captions=2, size=(6, 4), **fields):
    rng = np.random.default_rng(seed)
    ids = [torch.from_numpy(rng.integers(5, 50, rng.integers(3, 9))) for _ in range(captions)]
    return PackTextImage()(dict(
        img=rng.integers(0, 256, (*size, 3), dtype=np.uint8), input_ids=ids, person_id=seed,
        captions=['a man'] * captions, **fields))


@pytest.fixture
def preprocessor():
    from mmtbps.models import TextImagePreprocessor
    return TextImagePreprocessor()


@pytest.mark.parametrize('counts', [(1, 1, 1), (2, 3, 1)])
def test_the_model_sees_the_same(preprocessor, counts):
    items = [item(seed, count) for seed, count in enumerate(counts)]
    ours, theirs = (preprocessor(collate(items)) for collate in (stack_pairs, pseudo_collate))
    for key in ('images', 'input_ids', 'attention_mask'):
        assert torch.equal(ours[key], theirs[key])
    assert [s.person_id for s in ours['data_samples']] == [0, 1, 2]


def test_few_tensors_leave_a_worker():
    items = [item(seed) for seed in range(8)]
    loader = DataLoader(items, batch_size=4, num_workers=1, collate_fn=stack_pairs)
    for start, batch in zip((0, 4), loader, strict=True):
        inputs, expected = batch['inputs'], items[start:start + 4]
        assert inputs['image'].is_shared()
        assert torch.equal(inputs['image'], torch.stack([i['inputs']['image'] for i in expected]))
        for key in ('input_ids', 'caption_lengths'):
            joined, = inputs[key]
            assert torch.equal(joined, torch.cat([i['inputs'][key] for i in expected]))


def test_images_of_different_sizes_stay_a_list():
    images = stack_pairs([item(0), item(1, size=(5, 4))])['inputs']['image']
    assert [tuple(image.shape) for image in images] == [(3, 6, 4), (3, 5, 4)]


def test_one_side_is_enough(preprocessor):
    pack = PackTextImage()
    image = pack(dict(img=np.ones((6, 4, 3), np.uint8)))
    text = pack(dict(input_ids=[torch.tensor([2, 7, 3])], text='a man'))
    assert set(preprocessor(stack_pairs([image, image]))) == {'images', 'data_samples'}
    batch = stack_pairs([text, text])
    assert batch['inputs'] == {} and batch['data_samples'][1].input_ids.tolist() == [2, 7, 3]


def test_named_in_the_registry():
    assert FUNCTIONS.get('stack_pairs') is stack_pairs
