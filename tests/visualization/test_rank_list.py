"""The drawn list is checked by its pixels."""

import numpy as np
import pytest
from PIL import Image, ImageChops

from mmtbps.visualization import draw_rank_list, draw_rank_sheet

GREEN, RED, GREY = (45, 164, 78), (209, 56, 61), (182, 188, 196)
BLUE = (10, 40, 200)


@pytest.fixture
def crop(tmp_path):
    """A plain blue crop of a person's shape."""
    path = tmp_path / 'blue.png'
    Image.new('RGB', (64, 192), BLUE).save(path)
    return path


def count(picture, colour):
    return int((np.asarray(picture) == colour).all(-1).sum())


def first_column(picture, colour):
    return int((np.asarray(picture) == colour).all(-1).any(0).argmax())


@pytest.mark.parametrize('correct, present, absent', [
    ([True], GREEN, (RED, GREY)), ([False], RED, (GREEN, GREY)), (None, GREY, (GREEN, RED)),
    (np.array([True]), GREEN, (RED, GREY))])
def test_frame_tells_right_from_wrong(crop, correct, present, absent):
    picture = draw_rank_list('a person', [crop], correct)
    assert count(picture, present) > 1200  # 4 pixels round a tile
    assert not any(count(picture, colour) for colour in absent)


def test_crops_stand_in_the_order_of_their_rank(crop, tmp_path):
    yellow = tmp_path / 'yellow.png'
    Image.new('RGB', (64, 192), (250, 220, 0)).save(yellow)
    picture = draw_rank_list('a person', [yellow, crop], [False, True], [0.9, 0.1])
    assert first_column(picture, (250, 220, 0)) < first_column(picture, BLUE)
    assert first_column(picture, RED) < first_column(picture, GREEN)


def test_ranks_scores_and_query_are_written(crop):
    blank = draw_rank_list(' ', [crop])
    query = draw_rank_list('a person', [crop])
    scored = draw_rank_list('a person', [crop], scores=[0.5])
    other = draw_rank_list('a person', [crop], scores=[0.25])
    assert ImageChops.difference(blank, query).getbbox()[3] < 60  # above the tiles
    assert ImageChops.difference(scored, other).getbbox()[1] > 300  # below them
    second = draw_rank_list('a person', [crop, crop])
    tiles = [second.crop((22 + 116 * i, 330, 126 + 116 * i, second.height)) for i in range(2)]
    assert ImageChops.difference(*tiles).getbbox()


def test_marks_stand_below_their_crop(crop):
    """A disc for each phrase, in the colour of its mark, and a taller picture for more of them."""
    plain = draw_rank_list('a person', [crop, crop], scores=[.5, .4])
    marks = [[('red coat', 'yes'), ('no hat', 'no')], [('red coat', 'unsure'), ('no hat', 'yes')]]
    marked = draw_rank_list('a person', [crop, crop], scores=[.5, .4], notes=['11 %', '3 %'],
                            marks=marks)
    assert marked.width == plain.width
    same = ImageChops.difference(plain, marked.crop((0, 0, *plain.size))).getbbox()
    assert same is None or same[1] > 300  # query, tiles and scores are as they were
    for column, row in enumerate(marks):
        left, foot = 22 + 116 * column, 37 + 276 + 60
        below = np.asarray(marked.crop((left, foot, left + 104, marked.height)))
        found = {mark: np.flatnonzero((below == color).all(-1).any(1))
                 for mark, color in (('yes', GREEN), ('no', RED), ('unsure', GREY))}
        present = sorted((found[mark][0], phrase) for phrase, mark in row)
        assert [phrase for _, phrase in present] == ['red coat', 'no hat']  # in their order
        assert not len(found[({'yes', 'no', 'unsure'} - {mark for _, mark in row}).pop()])
    more = draw_rank_list('a person', [crop], marks=[[('a very long phrase of many words', 'no')]])
    less = draw_rank_list('a person', [crop], marks=[[('hat', 'no')]])
    assert more.height - less.height == 16 * 2


def test_notes_change_only_what_is_below_the_scores(crop):
    one, other = (draw_rank_list('a person', [crop], scores=[.5], notes=[note])
                  for note in ('11.6 %', '~50 %'))
    assert ImageChops.difference(one, other).getbbox()[1] > 330
    with pytest.raises(ValueError, match='notes has 2 entries for 1 images'):
        draw_rank_list('a person', [crop], notes=['1 %', '2 %'])


def test_long_query_wraps_and_title_adds_a_line(crop):
    short = draw_rank_list('a person', [crop])
    long = draw_rank_list('a person who wears a coat ' * 20, [crop])
    endless = draw_rank_list('x' * 500, [crop])
    titled = draw_rank_list('a person', [crop], title='CUHK-PEDES')
    assert short.width == long.width == endless.width
    assert min(long.height, endless.height) > short.height + 3 * 18
    assert 10 < titled.height - short.height < 40
    ink = (np.asarray(endless).min(-1) < 100).any(0)
    assert not ink[-22:].any() and not ink[:22].any()  # nothing runs over the margin


@pytest.mark.parametrize('broken', ['nowhere/0001_c1.jpg', 'text.jpg', 'folder'])
def test_unreadable_image_becomes_a_grey_tile(broken, tmp_path):
    (tmp_path / 'text.jpg').write_text('not an image')
    (tmp_path / 'folder').mkdir()
    picture = draw_rank_list('a person', [tmp_path / broken], [False])
    assert count(picture, (217, 220, 225)) > 15000 and count(picture, RED) > 1200


def test_the_tile_of_an_unreadable_image_says_why(tmp_path):
    (tmp_path / 'a.jpg').write_text('not an image')
    broken = draw_rank_list('a person', [tmp_path / 'a.jpg'])
    gone = draw_rank_list('a person', [tmp_path / 'gone/a.jpg'])
    told = draw_rank_list('a person', [tmp_path / 'gone/a.jpg'], reasons=['cannot be read'])
    assert ImageChops.difference(broken, gone).getbbox() is not None
    assert ImageChops.difference(broken, told).getbbox() is None


@pytest.mark.parametrize('mode', ['L', 'RGBA', 'P', 'CMYK'])
@pytest.mark.parametrize('size', [(64, 192), (300, 40), (1, 1)])
def test_any_mode_and_shape_is_drawn_whole(mode, size, tmp_path):
    path = tmp_path / 'image.tiff'
    Image.new('RGB', size, 'white').convert(mode).save(path)
    picture = draw_rank_list('a person', [str(path)])
    assert picture.size == draw_rank_list('a person', ['missing']).size
    assert not count(picture, (217, 220, 225))


def test_bad_lists_are_refused(crop):
    with pytest.raises(ValueError, match='at least one image'):
        draw_rank_list('a person', [])
    with pytest.raises(ValueError, match='correct has 2 entries for 1 images'):
        draw_rank_list('a person', [crop], [True, False])
    with pytest.raises(ValueError, match='scores has 0 entries for 1 images'):
        draw_rank_list('a person', [crop], scores=[])
    with pytest.raises(ValueError, match='at least one ranked list'):
        draw_rank_sheet([])


def test_sheet_holds_its_rows_unchanged(crop):
    rows = [draw_rank_list('one', [crop] * 10, [True] * 10), draw_rank_list('two', [crop]),
            draw_rank_list('three', [crop, crop], [False, True])]
    sheet, top = draw_rank_sheet(rows), 0
    assert sheet.width == rows[0].width
    for row in rows:
        part = sheet.crop((0, top, row.width, top + row.height))
        assert ImageChops.difference(part, row).getbbox() is None
        top += row.height + 1
    assert sheet.height == top - 1


def test_packed_crops_are_drawn(crop, tmp_path_factory):
    pytest.importorskip('mmengine')
    from mmtbps.datasets.packed import image_path
    from mmtbps.datasets.write_packed import pack_images
    folder = tmp_path_factory.mktemp('packed') / 'crops.tars'
    pack_images(crop.parent, folder)
    packed = draw_rank_list('a person', [image_path(folder, crop.name)])
    assert ImageChops.difference(packed, draw_rank_list('a person', [crop])).getbbox() is None
