"""mmpretrain's preset augmentations in a pipeline of our scope: pixels as in mmpretrain's own."""

import numpy as np
import pytest
from mmengine.registry import DefaultScope
from mmpretrain.datasets.transforms.auto_augment import AUTOAUG_POLICIES, RANDAUG_POLICIES
from mmpretrain.registry import TRANSFORMS as THEIRS

from mmtbps.datasets.samplers import seeded_random
from mmtbps.registry import TRANSFORMS

RAND = dict(type='RandAugment', policies='timm_increasing', num_policies=2, total_level=10,
            magnitude_level=9, magnitude_std=0.5, hparams=dict(pad_val=[104, 116, 124],
                                                               interpolation='bicubic'))
AUTO = dict(type='AutoAugment', policies='imagenet')
NESTED = dict(type='RandomChoice', transforms=[[AUTO], [RAND], [dict(type='ColorJitter',
                                                                     brightness=.4)]])
IMAGE = np.random.default_rng(0).integers(256, size=(48, 18, 3), dtype=np.uint8)


def build(registry, scope, settings):
    with DefaultScope.overwrite_default_scope(scope):
        return registry.build(settings)


@pytest.mark.parametrize('settings', [RAND, AUTO, NESTED])
def test_pixels_are_those_of_mmpretrain(settings):
    ours = build(TRANSFORMS, 'mmtbps', settings)
    theirs = build(THEIRS, 'mmpretrain', settings)
    pictures = []
    for seed in range(40):
        with seeded_random(seed):
            mine = ours(dict(img=IMAGE.copy()))['img']
        with seeded_random(seed):
            np.testing.assert_array_equal(mine, theirs(dict(img=IMAGE.copy()))['img'])
        pictures.append(mine)
    assert sum(not np.array_equal(picture, IMAGE) for picture in pictures) > 20


@pytest.mark.parametrize('kind, policies', [
    ('AutoAugment', AUTOAUG_POLICIES), ('RandAugment', RANDAUG_POLICIES)])
def test_every_step_of_every_preset_runs(kind, policies):
    for steps in policies.values():
        for step in steps if kind == 'AutoAugment' else [[step] for step in steps]:
            step = [one | (dict(magnitude_level=7) if 'magnitude_range' in one else {})
                    for one in step]
            transform = build(TRANSFORMS, 'mmtbps', dict(type='AutoAugment', policies=[step]))
            for seed in range(3):
                with seeded_random(seed):
                    picture = transform(dict(img=IMAGE.copy()))['img']
                assert picture.shape == IMAGE.shape and picture.dtype == np.uint8


def test_inside_a_view_of_ours():
    view = build(TRANSFORMS, 'mmtbps', dict(type='ImageView', key='second', transforms=[RAND]))
    item = view(dict(img=IMAGE.copy()))
    np.testing.assert_array_equal(item['img'], IMAGE)
    assert item['second'].shape == IMAGE.shape
