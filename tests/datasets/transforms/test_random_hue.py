"""Turned hues against Python's colorsys, pixel by pixel."""

import colorsys
import re

import numpy as np
import pytest

from mmtbps.datasets.transforms import RandomHue, turn_hue
from mmtbps.errors import BadValue, MissingKey

CORNERS = [[b, g, r] for b in (0, 255) for g in (0, 255) for r in (0, 255)]


def pixels():
    """Random colours, primary and secondary ones, and those where two channels are equal."""
    drawn = np.random.default_rng(0).integers(0, 256, (200, 3))
    equal = np.stack([drawn[:20, 0], drawn[:20, 1], drawn[:20, 1]], 1)
    return np.concatenate([drawn, CORNERS, equal, np.roll(equal, 1, 1), np.roll(equal, 2, 1)])[
        None].astype(np.uint8)


def slow(pixel, turn):
    blue, green, red = (int(channel) / 255 for channel in pixel)
    hue, saturation, value = colorsys.rgb_to_hsv(red, green, blue)
    return [255 * channel for channel in reversed(
        colorsys.hsv_to_rgb((hue + turn) % 1, saturation, value))]


@pytest.mark.parametrize('turn', [-0.5, -0.1, -0.013, 0.0, 0.07, 1 / 3, 0.5])
def test_it_is_the_turn_of_colorsys(turn):
    image = pixels()
    expected = [slow(pixel, turn) for pixel in image[0]]
    turned = turn_hue(image, turn)
    assert turned.dtype == np.uint8 and np.abs(turned[0] - expected).max() < 0.501


def test_no_turn_and_gray_change_nothing():
    gray = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, -1)
    assert (turn_hue(gray, 0.4) == gray).all() and (turn_hue(pixels(), 1) == pixels()).all()


def test_turns_are_drawn_evenly_from_both_sides():
    red, turns = np.array([[[0, 0, 255]]], np.uint8), []
    np.random.seed(0)
    for _ in range(2000):
        blue, green, full = RandomHue(0.1)(dict(img=red))['img'][0, 0].tolist()
        assert full == 255 and not (blue and green)
        turns.append((green - blue) / 255 / 6)
    assert (red == [0, 0, 255]).all()
    assert np.quantile(turns, [0, 0.25, 0.5, 0.75, 1]) == pytest.approx(
        [-0.1, -0.05, 0, 0.05, 0.1], abs=0.006)


def test_the_seed_fixes_the_turn():
    def run(seed):
        np.random.seed(seed)
        return RandomHue(0.3)(dict(img=pixels()))['img']

    assert (run(1) == run(1)).all() and (run(1) != run(2)).any()


def test_mistakes_are_named():
    with pytest.raises(BadValue, match=re.escape('hue must lie in [0, 0.5], got 0.6')):
        RandomHue(0.6)
    with pytest.raises(MissingKey, match='a.jpg: .*put LoadImageFromFile before RandomHue'):
        RandomHue()(dict(img_path='a.jpg'))
    with pytest.raises(BadValue, match=re.escape('got uint8 (4, 2)')):
        RandomHue()(dict(img=np.zeros((4, 2), np.uint8)))
