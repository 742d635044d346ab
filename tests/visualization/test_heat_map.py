"""Heat-maps are checked by their colours."""

import numpy as np
import pytest
from matplotlib import colormaps
from PIL import Image, ImageChops

from mmtbps.visualization import draw_heat_map, draw_word_heat_maps
from mmtbps.visualization.heat_map import colorize

DARKEST, BRIGHTEST = (np.array(colormaps['viridis'](end, bytes=True)[:3], int) for end in (0., 1.))
CROP = Image.new('RGB', (128, 384), (90, 90, 90))
PICTURE = (107, 320)  # the crop as it is drawn


def pictures(sheet, count, labels=1):
    """The drawn pictures of a sheet's first row, without words and legend."""
    top, step = 20 + 18 * labels + 4, PICTURE[0] + 10
    return [np.asarray(sheet.crop((20 + i * step, top, 20 + i * step + PICTURE[0], top + 320)),
                       dtype=int) for i in range(count)]


def test_steps_of_colour_are_even():
    """Equal steps of the number are equal steps of lightness (CIE L*), within a fifth."""
    linear = (colorize(np.linspace(0, 1, 33), (0, 1)) / 255) ** 2.2
    lightness = 116 * (linear @ [0.2126, 0.7152, 0.0722]) ** (1 / 3) - 16
    steps = np.diff(lightness)
    assert steps.min() > 0 and abs(steps[2:] / steps[2:].mean() - 1).max() < 0.2


def test_beyond_the_limits_nothing_changes():
    colors = colorize(np.array([-5., 0., 1., 7.]), (0, 1)).astype(int)
    assert (colors[:2] == DARKEST).all() and (colors[2:] == BRIGHTEST).all()
    assert (colorize(np.full((2, 2), 3.), (3, 3)) == DARKEST).all()


@pytest.mark.parametrize('row, column', [(0, 0), (12, 7), (30, 9)])
def test_the_hot_cell_is_bright_where_it_is(row, column):
    heat = np.zeros((31, 10))
    heat[row, column] = 1
    picture = np.asarray(draw_heat_map(CROP, heat, opacity=1).crop((50, 24, 157, 344)), dtype=int)
    y, x = np.unravel_index(abs(picture - BRIGHTEST).sum(-1).argmin(), picture.shape[:2])
    assert int(y / 320 * 31) == row and int(x / 107 * 10) == column
    share = (abs(picture - DARKEST).sum(-1) > 60).mean()
    assert 1 / 310 / 2 < share < 4 * 4 / 310  # one cell and its seam, nothing else


def test_opacity_mixes_the_grey_picture_and_the_colours():
    red = Image.new('RGB', (128, 384), (255, 0, 0))
    drawn = [np.asarray(draw_heat_map(red, np.ones((3, 1)), limits=(0, 1), opacity=opacity), int)
             [200, 100] for opacity in (0, 0.5, 1)]
    assert drawn[0].tolist() == [76, 76, 76] and drawn[2].tolist() == BRIGHTEST.tolist()
    assert abs(drawn[1] - (drawn[0] + drawn[2]) / 2).max() <= 1


def test_words_share_one_scale():
    heats = [np.full((31, 10), value) for value in (0., 0.5, 1.)]
    sheet = draw_word_heat_maps(CROP, heats, ['a', 'red', 'coat'], opacity=1)
    plain, *maps = pictures(sheet, 4)
    assert abs(plain - 90).max() <= 1
    for picture, share in zip(maps, (0., 0.5, 1.), strict=True):
        assert (picture == colormaps['viridis'](share, bytes=True)[:3]).all()
    alone = draw_word_heat_maps(CROP, heats[1:2], ['red'], limits=(0, 0.5), opacity=1)
    assert (pictures(alone, 2)[1] == BRIGHTEST).all()


def test_words_and_limits_are_written():
    def changed(one, other):
        return ImageChops.difference(draw_heat_map(CROP, np.eye(31, 10), **one),
                                     draw_heat_map(CROP, np.eye(31, 10), **other)).getbbox()
    assert changed(dict(words='red'), dict(words='tan'))[3] < 44  # above the picture
    scales = [dict(opacity=0, limits=(0, high)) for high in (1, 1.0004, 1.5)]
    assert changed(scales[0], scales[1]) is None  # the same in three digits
    assert changed(scales[0], scales[2])[1] > 350  # below the picture


def test_rows_begin_anew_and_long_words_stay_in_their_cell():
    heats = [np.eye(31, 10)] * 5
    words = ['black-and-white-striped', 'W' * 40, 'a', 'b', 'c']
    sheet = draw_word_heat_maps(CROP, heats, words, columns=3)
    wide = draw_word_heat_maps(CROP, heats, words, columns=6)
    assert (sheet.width, wide.width) == (40 + 3 * 117 - 10, 40 + 6 * 117 - 10)
    assert sheet.height > 1.7 * wide.height
    ink = (np.asarray(wide).min(-1) < 100).any(0)
    assert not ink[:18].any() and not ink[-18:].any()
    gaps = np.asarray(wide)[:60, 20 + 107:20 + 117]
    assert (gaps > 150).all()


@pytest.mark.parametrize('size', [(1, 1), (8, 24), (640, 360), (30, 900)])
def test_any_shape_is_drawn(size):
    sheet = draw_heat_map(Image.new('L', size, 255), np.eye(3), 'red coat')
    assert 168 <= sheet.width - 40 <= 480 and sheet.height < 450


@pytest.mark.parametrize('call, message', [
    (lambda: draw_heat_map(CROP, np.zeros(10)), 'matrix'),
    (lambda: draw_heat_map(CROP, np.zeros((0, 3))), 'matrix'),
    (lambda: draw_heat_map(CROP, np.full((2, 2), np.nan)), 'finite'),
    (lambda: draw_heat_map(CROP, np.eye(2), opacity=2), 'opacity'),
    (lambda: draw_heat_map(CROP, np.eye(2), limits=(1, 0)), 'limits'),
    (lambda: draw_word_heat_maps(CROP, [], []), 'one heat-map a word'),
    (lambda: draw_word_heat_maps(CROP, [np.eye(2)], ['a', 'b']), '1 for 2 words')])
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
