"""Further views of an image: their own augmentations, nothing else of the item changed."""

import numpy as np
import pytest
from mmpretrain.datasets.transforms import RandomCrop

from mmtbps.datasets.transforms import ImageView, PackTextImage


def item():
    image = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)
    return dict(img=image, caption='a man', img_path='a.jpg', flip=False)


def test_a_view_has_augmentations_of_its_own():
    view = ImageView('image_2', [dict(type='RandomFlip', prob=1.0)])
    done = view(item())
    assert np.array_equal(done['image_2'], item()['img'][:, ::-1])
    assert done['image_2'].flags.c_contiguous
    rest = {key: value for key, value in done.items() if key != 'image_2'}
    assert np.array_equal(rest.pop('img'), item()['img'])
    assert rest == dict(caption='a man', img_path='a.jpg', flip=False)


def test_views_draw_from_the_seed_and_differ():
    crop = dict(type=RandomCrop, crop_size=(2, 1))
    views = [ImageView(f'image_{i}', [crop]) for i in (2, 3)]

    def both():
        np.random.seed(3)
        done = item()
        for view in views:
            done = view(done)
        return done['image_2'], done['image_3']

    assert all(np.array_equal(one, two) for one, two in zip(both(), both(), strict=True))
    assert not np.array_equal(*both())


def test_a_view_is_packed_as_the_image_is():
    import torch
    packed = PackTextImage(input_keys=['image_2'])(ImageView('image_2', [])(
        dict(item(), input_ids=[torch.tensor([2, 3])])))
    assert torch.equal(packed['inputs']['image_2'], packed['inputs']['image'])


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="name of its own.*'img'"):
        ImageView('img', [])
    with pytest.raises(KeyError, match='LoadImageFromFile before ImageView'):
        ImageView('image_2', [])(dict(caption='a man'))
    with pytest.raises(ValueError, match=r"a.jpg: .*got uint8 \(4, 2\); RandomGrayscale"):
        ImageView('image_2', [dict(type='RandomGrayscale', prob=1.0)])(item())
    with pytest.raises(ValueError, match="a.jpg: the item has a 'image_2' already"):
        ImageView('image_2', [])(ImageView('image_2', [])(item()))
