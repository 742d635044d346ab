"""Regions, anchors and detections against slow references."""

import math

import numpy as np
import pytest
from PIL import Image

from mmtbps.generation.evidence.pose_region import (
    PoseRegion,
    detection_anchors,
    read_detection,
    to_square,
)


def test_anchors_are_those_of_the_detectors_recipe():
    """Strides 8, 16, 32, 32, 32 of 224 pixels, two of fixed size in each cell of each."""
    expected = []
    for stride, times in ((8, 1), (16, 1), (32, 3)):
        cells = math.ceil(224 / stride)
        for row in range(cells):
            for column in range(cells):
                expected += [((column + .5) / cells, (row + .5) / cells)] * 2 * times
    assert np.array_equal(detection_anchors(), np.array(expected))


def test_the_surest_detection_is_read():
    draw = np.random.default_rng(0)
    boxes, logits = draw.normal(0, 20, (2254, 12)), draw.normal(-5, 1, (2254, 1))
    logits[1700] = 2.
    probability, [hips, reach] = read_detection(boxes, logits, 224)
    assert probability == pytest.approx(1 / (1 + math.exp(-2)))
    anchor = detection_anchors()[1700] * 224
    assert hips.tolist() == pytest.approx(list(boxes[1700, 4:6] + anchor))
    assert reach.tolist() == pytest.approx(list(boxes[1700, 6:8] + anchor))


@pytest.mark.parametrize('angle', [0, 30, -100, 180])
def test_a_body_stands_upright_in_its_region(angle):
    turn = math.radians(angle)
    hips = np.array([70., 40.])
    reach = hips + 20 * np.array([math.sin(turn), -math.cos(turn)])
    region = PoseRegion.around(hips, reach)
    assert region.side == pytest.approx(50)
    # The middle and the point above the head, a body's circle with a quarter of air around it.
    found = region.to_picture(np.array([[128, 128], [128, 128 - 128 / 1.25]]), 256)
    np.testing.assert_allclose(found, [hips, reach], atol=1e-9)


def test_what_is_cut_out_and_spread_again_lies_where_it_was():
    rows, columns = np.mgrid[:120, :90]
    spot = np.exp(-((rows - 50) ** 2 + (columns - 40) ** 2) / 128)
    image = Image.fromarray((255 * spot).astype(np.uint8)).convert('RGB')
    region = PoseRegion((42., 55.), 80., math.radians(25))
    values = np.asarray(region.cut(image, 128))[..., 0].astype(np.float32) / 255
    assert np.abs(region.spread(values, image.size) - spot).max() < .1


def test_a_tall_picture_is_padded_at_its_sides():
    image = Image.new('RGB', (40, 100), 'white')
    square, region = to_square(image, 50)
    white = np.asarray(square)[..., 0] > 128
    assert square.size == (50, 50) and white[:, 15:35].all() and white.mean() == pytest.approx(.4)
    np.testing.assert_allclose(region.to_picture(np.array([[15., 0.], [35., 50.]]), 50),
                               [[0, 0], [40, 100]], atol=1e-9)
