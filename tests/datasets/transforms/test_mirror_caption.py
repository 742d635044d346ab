"""Left and right in captions of mirrored images."""

import numpy as np
import pytest
from mmcv.transforms import Compose

from mmtbps.datasets.transforms.mirror_caption import MirrorCaption, mirror_text

SIDES = [
    ('A bag in his left hand.', 'A bag in his right hand.'),
    ('Left arm, RIGHT leg', 'Right arm, LEFT leg'),
    ('facing to the left.', 'facing to the right.'),
    ('a left-hand glove, the rightmost', 'a right-hand glove, the leftmost'),
    ('leftward and rightwards', 'rightward and leftwards'),
    ('the left/right shoe', 'the right/left shoe'),
    ('on her right behind a car', 'on her left behind a car'),
    ('on the left in front of a car', 'on the right in front of a car'),
    ("the man's right by the wall", "the man's left by the wall"),
    ('her left open hand', 'her right open hand'),
    ('watch on right wrist, bag on left', 'watch on left wrist, bag on right'),
]
NO_SIDES = [
    'a logo right above the belt', 'a belt right below his coat', 'walking right next to a car',
    'standing right in front', 'All right!', 'a right angle', 'right-angle', 'right now',
    'he left the shop', 'who has left a bag', 'a coat left open', 'hair left loose',
    'an upright man in bright red', 'leftover cleft', 'alright', '',
]


@pytest.mark.parametrize(('caption', 'mirrored'), SIDES)
def test_sides_are_exchanged_and_exchanged_back(caption, mirrored):
    assert mirror_text(caption) == mirrored
    assert mirror_text(mirrored) == caption


@pytest.mark.parametrize('caption', NO_SIDES)
def test_words_that_name_no_side_stay(caption):
    assert mirror_text(caption) == caption


@pytest.mark.parametrize(('flip', 'direction', 'mirrored'), [
    (True, 'horizontal', True), (True, 'vertical', False), (True, 'diagonal', False),
    (False, 'horizontal', False), (False, None, False)])
def test_only_a_horizontal_flip_counts(flip, direction, mirrored):
    item = dict(caption='left', captions=['right', 'a'], flip=flip, flip_direction=direction)
    result = MirrorCaption()(item)
    expected = ('right', ['left', 'a']) if mirrored else ('left', ['right', 'a'])
    assert (result['caption'], result['captions']) == expected


def test_an_item_that_was_never_flipped_stays():
    assert MirrorCaption()(dict(caption='left')) == dict(caption='left')


@pytest.mark.parametrize('prob', [0.0, 1.0])
def test_follows_the_flip_of_mmcv(prob):
    pipeline = Compose([dict(type='mmcv.RandomFlip', prob=prob), dict(type='mmtbps.MirrorCaption')])
    image = np.arange(12, dtype=np.uint8).reshape(1, 4, 3)
    result = pipeline(dict(img=image.copy(), caption='left sleeve'))
    assert result['caption'] == ('right sleeve' if prob else 'left sleeve')
    np.testing.assert_array_equal(result['img'], image[:, ::-1] if prob else image)


def test_a_tokenised_item_is_refused():
    item = dict(caption='left', input_ids=[], flip=True, flip_direction='horizontal',
                img_path='a.jpg')
    with pytest.raises(ValueError, match='a.jpg.*before TokenizeCaption'):
        MirrorCaption()(item)
