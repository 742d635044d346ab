"""Images and part buffers."""

from dataclasses import replace

import numpy as np
import pytest

from mmtbps.drawing import render, sample_person, sample_scene
from mmtbps.drawing.canvas import PART, Canvas, Projection
from mmtbps.drawing.person import Occluder


def draw_lot(key, yaw=None):
    rng = np.random.default_rng(key)
    person, scene = sample_person(rng), sample_scene(rng)
    scene = replace(scene, occluder=None)
    if yaw is not None:
        scene = replace(scene, pose=replace(scene.pose, yaw=yaw))
    return person, scene


def flat_canvas(yaw=0., light=(0, 0, 1)):
    return Canvas(60, 40, Projection(scale=50, centre=20, top=5, yaw=yaw, pitch=0.), light,
                  np.random.default_rng(0))


@pytest.mark.parametrize('size', [(128, 48), (96, 32), (192, 64), (64, 24)])
def test_a_scene_looks_the_same_at_every_size(size):
    from PIL import Image
    person, scene = draw_lot((0, 5))
    large = Image.fromarray(render(person, scene, (384, 128)))
    shrunk = np.asarray(large.resize((24, 64), Image.Resampling.BOX), float)
    drawn = Image.fromarray(render(person, scene, size)).resize((24, 64), Image.Resampling.BOX)
    assert drawn.mode == 'RGB'
    assert np.abs(np.asarray(drawn, float) - shrunk).mean() < 12


def test_rendering_is_deterministic():
    person, scene = draw_lot((0, 6))
    assert np.array_equal(render(person, scene), render(person, scene))


def test_another_seed_draws_another_street_around_the_same_person():
    person, scene = draw_lot((0, 6))
    other = render(person, replace(scene, seed=scene.seed + 1))
    assert np.abs(render(person, scene).astype(int) - other).mean() > 5


def test_too_small_a_size_is_refused():
    with pytest.raises(ValueError, match='8 x 4 is too small'):
        render(*draw_lot((0, 6)), size=(8, 4))


def test_parts_are_where_a_person_has_them():
    for i in range(20):
        person, scene = draw_lot((2, i), yaw=0.)
        _, parts = render(person, scene, with_parts=True)
        rows = {name: np.nonzero(parts == PART[name])[0].mean() for name in ('upper', 'shoes')}
        skin_or_hair = np.isin(parts, [PART['skin'], PART['hair'], PART['hat'], PART['glasses']])
        assert np.nonzero(skin_or_hair)[0].min() < rows['upper'] < rows['shoes']
        assert .08 < (parts > 0).mean() < .6


def test_the_part_buffer_holds_the_garments_color():
    """Pixels of the upper garment are near its cloth in hue, far from a green street."""
    person, scene = draw_lot((2, 3), yaw=np.pi)
    person = replace(person, upper='sweater', pattern='plain', contrast_sleeves=False, bag='none',
                     rgb={**person.rgb, 'upper': (220., 20., 20.)})
    image, parts = render(person, scene, with_parts=True)
    inside = image[parts == PART['upper']].astype(float)
    outside = image[parts == PART['background']].astype(float)
    assert np.median(inside[:, 0] - inside[:, 1]) > 60
    assert np.median(outside[:, 0] - outside[:, 1]) < 20


@pytest.mark.parametrize('part, shown_at, hidden_at', [
    ('inner', 0., np.pi), ('glasses', 0., np.pi), ('bag', np.pi, None)])
def test_the_view_hides_what_it_should(part, shown_at, hidden_at):
    person, scene = draw_lot((2, 4))
    person = replace(person, upper='jacket', open=True, glasses='sunglasses', bag='backpack',
                     hair='short', hat='none', scarf=False)

    def pixels(yaw):
        turned = replace(scene, pose=replace(scene.pose, yaw=yaw))
        return (render(person, turned, with_parts=True)[1] == PART[part]).sum()
    assert pixels(shown_at) > 5
    if hidden_at is None:                                       # straps only, seen from the front
        assert 0 < pixels(0.) < pixels(shown_at) / 2
    else:
        assert pixels(hidden_at) == 0


def test_an_occluder_covers_image_and_parts():
    person, scene = draw_lot((2, 5))
    hidden = replace(scene, occluder=Occluder(left=0., width=1., top=.7, shade=100.))
    _, parts = render(person, hidden, with_parts=True)
    assert (parts[int(128 * .7):] == PART['occluder']).all()
    assert not (parts[:int(128 * .7)] == PART['occluder']).any()


def test_a_sweep_is_the_ellipse_it_should_be():
    """Against the plain inequality, pixel by pixel."""
    canvas = flat_canvas()
    canvas.sweep((0, .3, 0), (0, .3, 0), (.2,), part='upper', color=(100, 100, 100), cloth=0.)
    y, x = np.mgrid[:60, :40] + .5
    disc = (x - 20) ** 2 + (y - 20) ** 2
    assert (canvas.part[disc < 9.5 ** 2] == PART['upper']).all()
    assert (canvas.part[disc > 10.5 ** 2] == 0).all()


def test_the_nearer_sweep_wins_in_either_order():
    for order in (0, 1):
        canvas = flat_canvas()
        sweeps = [('upper', .1), ('bag', -.1)][::1 if order else -1]
        for part, z in sweeps:
            canvas.sweep((0, .3, z), (0, .5, z), (.1,), part=part)
        assert set(np.unique(canvas.part)) == {0, PART['upper']}


def test_light_comes_from_its_side():
    canvas = flat_canvas(light=(1, 0, .2))
    canvas.sweep((0, .2, 0), (0, .8, 0), (.2,), part='upper', color=(100, 100, 100), cloth=0.)
    row = canvas.rgb[30, :, 0]
    assert row[27] > 1.2 * row[12] > 0


def test_a_painter_sees_the_angle_from_the_front_of_the_person():
    """The left half of the body (positive angles) is on the right of a front view."""
    def half(patch):
        patch.paint(patch.around > 0, (200, 0, 0), 'inner')
    for yaw, column in ((0., 27), (np.pi, 12)):
        canvas = flat_canvas(yaw)
        canvas.sweep((0, .2, 0), (0, .8, 0), (.2,), part='upper', painter=half)
        assert canvas.part[30, column] == PART['inner']
        assert canvas.part[30, 39 - column] == PART['upper']
