"""Recolouring by colour and height: it changes the garment, and nothing but it."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw
from tiny_diffusion import request

from mmtbps.generation.color.colorspace import lab_to_rgb, palette, rgb_to_lab
from mmtbps.generation.editing.recolor import (
    RecolorEditor,
    garment_cover,
    garment_mask,
    shift_color,
)
from mmtbps.generation.quality.gates import BANDS

SHIRT, JEANS, SHOES = (14, 30, 50, 84), (18, 85, 46, 140), (18, 150, 46, 158)  # left top right foot


def person(shirt=(185, 40, 45), jeans=(45, 70, 160), shoes=(185, 40, 45), noise=6):
    """A figure of 64 x 160 with folds on its shirt."""
    image = Image.new('RGB', (64, 160), (150, 160, 150))
    pen = ImageDraw.Draw(image)
    pen.ellipse((24, 6, 40, 26), fill=(220, 180, 150))
    for box, color in ((SHIRT, shirt), (JEANS, jeans), (SHOES, shoes)):
        pen.rectangle(box, fill=color)
    for top in range(34, 84, 10):
        pen.line((14, top, 50, top), fill=tuple(int(.8 * c) for c in shirt))
    grain = np.random.default_rng(0).normal(0, noise, (160, 64, 1))
    return Image.fromarray((np.asarray(image) + grain).clip(0, 255).astype(np.uint8))


def inside(box):
    mask = np.zeros((160, 64), bool)
    mask[box[1]:box[3] + 1, box[0]:box[2] + 1] = True
    return mask


def asked(old='red', new='green', region='upper', **changes):
    return replace(request(f'A {old} shirt', old, new, job_id='j1'),
                   **{**dict(image=person(), region=region), **changes})


def overlap(found, truth):
    return (found & truth).sum() / (found | truth).sum()


def nearest_colors(pixels):
    """The basic colour nearest to each of ``(N, 3)`` pixels."""
    names, colors = palette()
    difference = rgb_to_lab(pixels)[:, None] - colors
    return np.array(names)[np.square(difference).sum(-1).argmin(-1)]


@pytest.mark.parametrize('old, region, truth, new', [
    ('red', 'upper', SHIRT, 'green'), ('red', 'upper', SHIRT, 'black'),
    ('blue', 'lower', JEANS, 'yellow')])
def test_the_garment_takes_the_new_color(old, region, truth, new):
    query = asked(old, new, region)
    result = RecolorEditor().edit([query])[0]
    before, after = np.asarray(query.image), np.asarray(result.image)
    assert overlap(result.mask, inside(truth)) > .9
    assert np.array_equal(before[~result.mask], after[~result.mask])  # red shoes stay red
    named = nearest_colors(after[inside(truth)])
    assert (named == new).mean() > .85 and (named == old).mean() < .1
    assert result.unet_evals == 0 and result.job_id == 'j1'


def test_folds_stay():
    query = asked()
    after = rgb_to_lab(np.asarray(RecolorEditor().edit([query])[0].image))[..., 0]
    before = rgb_to_lab(np.asarray(query.image))[..., 0]
    assert np.corrcoef(before[inside(SHIRT)], after[inside(SHIRT)])[0, 1] > .9


@pytest.mark.parametrize('old', [(15, 15, 18), (245, 245, 240), (185, 40, 45)])
@pytest.mark.parametrize('new', palette()[0])
def test_new_colors_exist(old, new):
    lab = rgb_to_lab(np.asarray(person(shirt=old, noise=10)))
    shifted = shift_color(lab, inside(SHIRT), new)[inside(SHIRT)]
    rgb = lab_to_rgb(shifted)
    assert (rgb > 0).all() and (rgb < 255).all()
    np.testing.assert_allclose(rgb_to_lab(rgb), shifted, atol=2.5)   # nothing was clipped
    assert np.ptp(shifted[:, 0]) > 2                                 # folds stay


def test_a_pixel_at_the_edge_belongs_to_the_garment_in_part():
    image = np.asarray(person()).astype(float)
    image[:, 51] = .85 * image[:, 50] + .15 * image[:, 52]
    cover = garment_cover(rgb_to_lab(image), 'red', BANDS['upper'])[40:80].mean(0)
    assert cover[49] > .9 and .1 < cover[51] < .9 and cover[52] < .05


def test_a_garment_that_runs_into_its_neighbour_is_not_edited():
    image = np.asarray(person()).copy()
    near = lab_to_rgb(rgb_to_lab(np.array((185, 40, 45))) - (0, 5, 5.6))
    image[30:85, 6:14] = image[30:85, 51:59] = image[85:97, 6:59] = near
    query = asked(image=Image.fromarray(image))
    assert RecolorEditor().edit([asked()])[0].mask.any()
    assert not RecolorEditor().edit([query])[0].mask.any()


def test_a_background_of_the_garments_color_stays():
    image = np.asarray(person()).copy()
    image[60:, :12] = image[60:, 53:] = (175, 50, 50)
    query = asked(image=Image.fromarray(image))
    mask = RecolorEditor().edit([query])[0].mask
    assert not mask[:, :12].any() and not mask[:, 53:].any()


def test_what_is_not_there_is_not_edited():
    query = asked('purple')
    result = RecolorEditor().edit([query])[0]
    assert not result.mask.any()
    assert np.array_equal(np.asarray(result.image), np.asarray(query.image))


def test_the_mask_ends_with_the_band_and_grows_with_the_tolerance():
    lab = rgb_to_lab(np.asarray(person(shoes=(0, 0, 0), noise=12)))
    whole = garment_mask(lab, 'red', (0., 1.))
    half = garment_mask(lab, 'red', (0., .35))
    assert np.array_equal(half[:50], whole[:50]) and not half[56:].any()
    sizes = [garment_mask(lab, 'red', BANDS['upper'], tolerance).sum()
             for tolerance in (2, 8, 25)]
    assert sizes == sorted(sizes) and sizes[0] < sizes[1]


def test_shifting_moves_the_median_to_the_color():
    names, anchors = palette()
    lab = rgb_to_lab(np.asarray(person()))
    moved = shift_color(lab, inside(SHIRT), 'blue')
    np.testing.assert_allclose(np.median(moved[inside(SHIRT)], axis=0),
                               anchors[names.index('blue')], atol=1e-6)
    assert np.array_equal(moved[~inside(SHIRT)], lab[~inside(SHIRT)])


def test_bad_requests_are_refused():
    with pytest.raises(ValueError, match="j1: no band for region 'shoes'"):
        RecolorEditor().edit([asked(region='shoes')])
    with pytest.raises(ValueError, match="'teal' is no basic colour; those are beige, black"):
        RecolorEditor().edit([asked(old_color='teal')])


def test_the_digest_names_the_settings():
    assert RecolorEditor().digest_fields != RecolorEditor(tolerance=9).digest_fields


def test_lab_is_that_of_the_standard():
    # Published values for sRGB red, green and blue (D65).
    expected = [[53.24, 80.09, 67.20], [87.73, -86.18, 83.18], [32.30, 79.19, -107.86]]
    np.testing.assert_allclose(rgb_to_lab(np.eye(3) * 255), expected, atol=.02)


def test_lab_and_back_is_the_same():
    rgb = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    assert np.array_equal(lab_to_rgb(rgb_to_lab(rgb)), rgb)
