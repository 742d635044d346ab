"""Features of pictures with captions: the sum by hand, and what is no weight."""

import math

import numpy as np
import pytest

from mmtbps.errors import BadValue
from mmtbps.search.captioning import check_caption_weight, mix_captions


def slowly(image, caption, weight):
    """One row by one, in Python's own numbers."""
    def unit(row):
        length = math.sqrt(sum(value * value for value in row))
        return [value / length for value in row] if length else list(row)
    mixed = [(1 - weight) * one + weight * two
             for one, two in zip(unit(image), unit(caption), strict=True)]
    return unit(mixed)


@pytest.mark.parametrize('weight', [0, .1, .3, .5, .99])
def test_a_row_is_the_normalised_sum_of_both(weight):
    draw = np.random.default_rng(3)
    images = draw.normal(size=(7, 5)).astype(np.float32) * 4
    captions = draw.normal(size=(7, 5)).astype(np.float32) * np.float32(.2)
    captions[2] = 0
    found = mix_captions(images, captions, weight)
    wanted = [slowly(*rows, weight) for rows in zip(images.tolist(), captions.tolist(),
                                                    strict=True)]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    assert np.allclose(found[2], images[2] / np.linalg.norm(images[2]), atol=1e-6)


def test_what_cancels_out_is_the_picture():
    np.testing.assert_allclose(mix_captions(np.float32([[1, 0]]), np.float32([[-1, 0]]), .5),
                               [[1, 0]])


@pytest.mark.parametrize('weight', [1, 1., -.1, float('nan'), float('inf'), '0.3', None, True])
def test_no_weight(weight):
    for call in (lambda: check_caption_weight(weight),
                 lambda: mix_captions(np.eye(2), np.eye(2), weight)):
        with pytest.raises(BadValue, match='caption weight is from 0 to below 1, got'):
            call()


def test_shapes_must_fit():
    with pytest.raises(BadValue, match=r'\(2, 2\) and captions \(3, 3\)'):
        mix_captions(np.eye(2), np.eye(3), .3)
