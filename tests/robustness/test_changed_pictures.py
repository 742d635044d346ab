"""Changes of pictures by pixels that can be counted."""

import numpy as np
import pytest
from PIL import Image

from mmtbps.errors import BadValue
from mmtbps.robustness.pictures import blur, occlude, shrink


@pytest.fixture
def noise():
    return Image.fromarray(np.random.default_rng(0).integers(0, 100, (128, 48, 3), np.uint8))


@pytest.mark.parametrize('share', [0, .1, .5, 1])
def test_a_box_hides_its_share_and_nothing_else(noise, share):
    before = np.asarray(noise).copy()
    after = np.asarray(occlude(noise, np.random.default_rng(3), share))
    hidden = (after == 127).all(2)
    assert abs(hidden.mean() - share) < .02
    assert np.array_equal(after[~hidden], before[~hidden])
    assert np.array_equal(np.asarray(noise), before)
    if 0 < share < 1:  # one box
        rows, columns = hidden.any(1).sum(), hidden.any(0).sum()
        assert hidden.sum() == rows * columns


def test_boxes_are_in_other_places(noise):
    boxes = {occlude(noise, np.random.default_rng(seed), .1).tobytes() for seed in range(5)}
    assert len(boxes) > 3


def test_few_pixels_are_left_of_a_small_picture(noise):
    far = np.asarray(shrink(noise, None, height=8), float)
    assert far.shape == (128, 48, 3)
    rows = np.asarray(noise, float).reshape(8, 16, 3, 16, 3).mean((1, 3))
    assert abs(far.reshape(8, 16, 3, 16, 3).mean((1, 3)) - rows).mean() < 2
    assert far.std() < np.asarray(noise, float).std() / 4
    assert shrink(noise, None, height=128) is noise


def test_more_blur_leaves_less(noise):
    spread = [np.asarray(blur(noise, None, radius)).std() for radius in (0, .02, .08)]
    assert spread[0] > 2 * spread[1] > 2 * spread[2]


@pytest.mark.parametrize('change, wrong', [(occlude, 1.1), (blur, -1), (shrink, 0)])
def test_bad_strengths(noise, change, wrong):
    with pytest.raises(BadValue, match='must'):
        change(noise, np.random.default_rng(0), wrong)
