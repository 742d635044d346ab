"""Model inputs of a dict of results, through the collate function of MMEngine."""

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate

from mmtbps.datasets.transforms.pack_inputs import PackTextImage
from mmtbps.registry import TRANSFORMS


def make_item(num_captions=1, seed=0, **changes):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(3, 9, num_captions)
    item = dict(
        img=rng.integers(0, 256, (6, 4, 3)).astype(np.uint8),
        input_ids=[torch.from_numpy(rng.integers(5, 50, n)) for n in lengths],
        captions=[f'caption {i}' for i in range(num_captions)],
        img_path='imgs/a.jpg', person_id=7, image_id=3)
    item.update(changes)
    return item


def test_image_is_turned_not_changed():
    item = make_item()
    image = PackTextImage()(item)['inputs']['image']
    assert image.dtype == torch.uint8 and image.is_contiguous()
    for channel in range(3):  # blue stays first
        assert image[channel].tolist() == item['img'][:, :, channel].tolist()


def test_a_flipped_view_can_be_packed():
    item = make_item()
    mirrored = dict(item, img=item['img'][:, ::-1])  # negative strides
    image = PackTextImage()(mirrored)['inputs']['image']
    assert image.flip(2).equal(PackTextImage()(item)['inputs']['image'])


def test_captions_can_be_taken_apart_again():
    item = make_item(num_captions=3)
    inputs = PackTextImage()(item)['inputs']
    parts = inputs['input_ids'].split(inputs['caption_lengths'].tolist())
    assert [p.tolist() for p in parts] == [i.tolist() for i in item['input_ids']]


def test_metainfo_holds_the_keys_that_are_there():
    sample = PackTextImage()(make_item(2, flip=True, secret=1, pair_weight=0.5))['data_samples']
    assert dict(sample.metainfo_items()) == dict(
        img_path='imgs/a.jpg', person_id=7, image_id=3, flip=True, pair_weight=0.5,
        captions=['caption 0', 'caption 1'], num_captions=2)


def test_a_training_item_gets_a_list_of_captions_too():
    item = make_item(caption='a man')
    del item['captions']
    sample = PackTextImage()(item)['data_samples']
    assert sample.captions == ['a man'] and sample.num_captions == 1


def test_meta_keys_can_be_chosen():
    transform = TRANSFORMS.build(dict(type='mmtbps.PackTextImage', meta_keys=['secret']))
    sample = transform(make_item(secret=1))['data_samples']
    assert set(sample.metainfo_keys()) == {'secret', 'captions', 'num_captions'}
    with pytest.raises(ValueError, match='list of keys'):
        PackTextImage(meta_keys='img_path')


def test_items_with_different_numbers_of_captions_make_a_batch():
    items = [make_item(k, seed=k) for k in (2, 1, 3)]
    batch = pseudo_collate([PackTextImage()(item) for item in items])
    assert [len(n) for n in batch['inputs']['caption_lengths']] == [2, 1, 3]
    assert torch.cat(batch['inputs']['input_ids']).tolist() == [
        token for item in items for ids in item['input_ids'] for token in ids.tolist()]
    assert [sample.num_captions for sample in batch['data_samples']] == [2, 1, 3]


@pytest.mark.parametrize(('key', 'step'), [
    ('img', 'LoadImageFromFile'), ('input_ids', 'TokenizeCaption'), ('captions', 'caption')])
def test_a_missing_key_is_named_with_its_step(key, step):
    item = make_item()
    del item[key]
    with pytest.raises(KeyError, match=f'imgs/a.jpg.*{step}'):
        PackTextImage()(item)


@pytest.mark.parametrize('image', [
    np.zeros((6, 4), np.uint8), np.zeros((6, 4, 4), np.uint8), np.zeros((6, 4, 3), np.float32)])
def test_an_image_of_another_kind_is_refused(image):
    with pytest.raises(ValueError, match=r'imgs/a.jpg.*uint8 with shape \(H, W, 3\)'):
        PackTextImage()(make_item(img=image))


@pytest.mark.parametrize('changes', [
    dict(captions=['one', 'two']), dict(captions=[])])
def test_each_caption_needs_its_tokens(changes):
    with pytest.raises(ValueError, match='imgs/a.jpg.*captions'):
        PackTextImage()(make_item(**changes))


def test_an_image_that_nobody_described_is_packed_without_tokens():
    packed = PackTextImage()(make_item(num_captions=0))
    for key in ('input_ids', 'caption_lengths'):
        assert packed['inputs'][key].tolist() == []
        assert packed['inputs'][key].dtype == torch.int64
    assert packed['data_samples'].captions == []


def test_an_image_alone_has_no_captions():
    item = make_item(sample_idx=5)
    whole = PackTextImage()(dict(item))
    del item['input_ids'], item['captions']
    packed = PackTextImage()(item)
    assert list(packed['inputs']) == ['image'] and 'captions' not in packed['data_samples']
    assert packed['inputs']['image'].equal(whole['inputs']['image'])
    assert packed['data_samples'].img_path == 'imgs/a.jpg'


def test_text_alone_goes_with_its_sample():
    tokens = torch.tensor([2, 8, 9, 3])
    packed = PackTextImage()(dict(text='a red coat', input_ids=[tokens]))
    assert packed['inputs'] == {}
    sample = packed['data_samples']
    assert sample.captions == ['a red coat'] and sample.num_captions == 1
    assert sample.input_ids.equal(tokens) and sample.caption_lengths.tolist() == [4]


@pytest.mark.parametrize('view', [
    lambda image: image, lambda image: image[:, ::-1], lambda image: image[2:7, 1:4],
    lambda image: image[::2], lambda image: image[..., ::-1], np.asfortranarray])
def test_pixels_of_any_view(view):
    image = view(np.random.default_rng(0).integers(0, 256, (9, 5, 3), dtype=np.uint8))
    packed = PackTextImage()(dict(img=image))['inputs']['image']
    assert packed.is_contiguous()
    assert packed.tolist() == [[[int(image[y, x, c]) for x in range(image.shape[1])]
                                for y in range(image.shape[0])] for c in range(3)]
