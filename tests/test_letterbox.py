"""Geometry of the letterbox, pixel by pixel."""

import numpy as np
import pytest
from PIL import Image

from mmtbps.letterbox import letterbox, letterbox_box


@pytest.mark.parametrize('size, shape, box', [
    ((48, 128), (224, 224), (128, 128, 40, 0)), ((128, 48), (224, 224), (128, 128, 0, 40)),
    ((47, 128), (224, 224), (128, 128, 40, 0)), ((10, 10), (224, 224), (10, 10, 0, 0)),
    ((60, 160), (384, 128), (60, 180, 0, 10)), ((20, 160), (384, 128), (53, 160, 16, 0)),
    ((1, 9), (2, 1), (4, 9, 1, 0))])
def test_the_canvas_is_the_smallest_of_its_shape(size, shape, box):
    assert letterbox_box(size, shape) == box
    wide, high, left, top = box
    assert (wide == size[0]) or (high == size[1])
    assert abs(wide * shape[0] - high * shape[1]) <= max(shape)  # up to a pixel


@pytest.mark.parametrize('size', [(48, 128), (47, 128), (128, 48), (31, 9)])
def test_no_pixel_of_the_picture_changes_and_the_rest_is_one_color(size):
    pixels = np.random.default_rng(0).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    padded = np.asarray(letterbox(Image.fromarray(pixels), (224, 224), (1, 2, 3)))
    _, _, left, top = letterbox_box(size, (224, 224))
    inside = np.zeros(padded.shape[:2], bool)
    inside[top:top + size[1], left:left + size[0]] = True
    assert (padded[inside].reshape(pixels.shape) == pixels).all()
    assert (padded[~inside] == (1, 2, 3)).all() and (~inside).any()


def test_a_picture_of_the_shape_stays_the_same_object():
    image = Image.new('RGB', (32, 32))
    assert letterbox(image, (224, 224)) is image
