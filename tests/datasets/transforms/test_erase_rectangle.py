"""Random erasing: what it paints, and how its rectangles are distributed."""

import math
import random

import numpy as np
import pytest

from mmtbps.datasets.transforms import EraseRectangle, draw_rectangle

FILL = (132.8, 147.3, 155.7)


def published_sizes(height, width, area, ratio, count):
    """Sizes by the published algorithm: shape by shape, each drawn until it is inside."""
    rng, sizes = random.Random(0), []
    while len(sizes) < count:
        pixels = rng.uniform(*area) * height * width
        aspect = math.exp(rng.uniform(math.log(ratio[0]), math.log(ratio[1])))
        size = round(math.sqrt(pixels * aspect)), round(math.sqrt(pixels / aspect))
        if size[0] < height and size[1] < width:
            sizes.append(size)
    return np.array(sizes)


def test_one_rectangle_is_painted_and_nothing_else():
    image = np.random.default_rng(0).integers(0, 100, (384, 128, 3), dtype=np.uint8)
    erase, erased = EraseRectangle(fill=FILL), 0
    np.random.seed(0)
    for _ in range(200):
        item = dict(img=image.copy())
        changed = (erase(item)['img'] != image).all(-1)
        rows, columns = changed.any(1), changed.any(0)
        assert changed[rows][:, columns].all(), 'no rectangle'
        assert (item['img'][changed] == (133, 147, 156)).all()
        assert np.array_equal(item['img'][~changed], image[~changed])
        erased += changed.any()
    assert 80 < erased < 120
    assert not (EraseRectangle(prob=0.0)(dict(img=image))['img'] != image).any()


def test_the_rectangles_are_distributed_as_published():
    limits = dict(area=(0.02, 0.4), ratio=(0.3, 3.3))
    np.random.seed(0)
    drawn = np.array([draw_rectangle(384, 128, **limits) for _ in range(20_000)])
    assert (drawn[:, 2] < 384).all() and (drawn[:, 3] < 128).all(), 'cut instead of drawn anew'
    published = published_sizes(384, 128, **limits, count=20_000)
    for ours, theirs in ((drawn[:, 2], published[:, 0]), (drawn[:, 3], published[:, 1]),
                         (drawn[:, 2] * drawn[:, 3], published.prod(1))):
        for share in (0.1, 0.5, 0.9):
            assert np.quantile(ours, share) == pytest.approx(np.quantile(theirs, share), rel=0.05)


def test_every_place_is_drawn_and_a_shape_that_never_fits_is_left_out():
    np.random.seed(0)
    places = {draw_rectangle(4, 3, (1 / 3, 1 / 3), (1.0, 1.0))[:2] for _ in range(200)}
    assert places == {(top, left) for top in range(3) for left in range(2)}
    assert draw_rectangle(8, 8, (1.0, 1.0), (1.0, 1.0)) is None
    image = np.ones((8, 8, 3), np.uint8)
    assert EraseRectangle(1.0, (1.0, 1.0), (1.0, 1.0))(dict(img=image))['img'].all()


def test_bad_items_and_options_are_refused():
    with pytest.raises(KeyError, match='LoadImageFromFile before EraseRectangle'):
        EraseRectangle()(dict(img_path='a.jpg'))
    for options in (dict(prob=2), dict(area=(0.5, 0.2)), dict(ratio=(0, 1)), dict(area=(0.1, 2))):
        with pytest.raises(ValueError, match='must'):
            EraseRectangle(**options)
