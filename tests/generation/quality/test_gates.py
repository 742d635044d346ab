"""Gates against perfect drawn edits, corrupted ones, and slow references."""

from dataclasses import replace

import numpy as np
import pytest
from drawn_edits import (
    BLUE,
    GATES,
    GREEN,
    RED,
    SEAMS,
    SIZE,
    ask,
    blocks,
    draw_some,
    give,
    upper_block,
)
from PIL import Image

from mmtbps.drawing import render
from mmtbps.drawing.edits import colors_for, recolor
from mmtbps.generation.color.colorspace import palette, rgb_to_lab
from mmtbps.generation.editing.base import EditResult
from mmtbps.generation.evidence import PARTS, EditEvidence
from mmtbps.generation.quality.gates import (
    BANDS,
    CaptionGate,
    EditStrengthGate,
    KeepColorsGate,
    LocalityGate,
    MaskGate,
    RankingGate,
    SanityGate,
    SeamGate,
    color_votes,
    region_mask,
    run_gates,
)
from mmtbps.lexicon import colors
from mmtbps.registry import TASK_UTILS

NAMES = palette()[0]


@pytest.fixture(scope='module')
def drawn():
    return draw_some(40)


def soften(image):
    """Halve the resolution and add a little noise, as an autoencoder does."""
    height, width = image.shape[:2]
    small = Image.fromarray(image).resize((width // 2, height // 2), Image.Resampling.BICUBIC)
    blurred = np.asarray(small.resize((width, height), Image.Resampling.BICUBIC), float)
    return np.uint8((blurred + np.random.default_rng(0).normal(0, 5, image.shape)).clip(0, 255))


def spill(case):
    """The edit also dyes the other garment."""
    other = 'lower' if case.garment == 'upper' else 'upper'
    color, rng = case.request.new_color, np.random.default_rng(0)
    person = recolor(case.person, case.garment, color, rng)
    return render(recolor(person, other, color, rng), case.scene, SIZE)


def contrast(case):
    return np.uint8((128 + 2.5 * (case.after.astype(float) - 128)).clip(0, 255))


def weak(case):
    return np.uint8(case.before + .25 * (case.after.astype(float) - case.before))


def tinted(case):
    image = case.after.astype(float)
    tint = np.array(colors()[case.request.new_color].rgb)
    image[~case.mask] = .55 * image[~case.mask] + .45 * tint
    return np.uint8(image)


def test_perfect_edits_pass(drawn):
    assert np.mean([case.accepts(case.after) for case in drawn]) >= .85


def test_perfect_edits_pass_through_an_autoencoder(drawn):
    assert np.mean([case.accepts(soften(case.after)) for case in drawn]) >= .75


@pytest.mark.parametrize('corrupt, limit', [(contrast, 0.), (weak, .1), (tinted, .15)])
def test_corrupted_edits_are_refused(drawn, corrupt, limit):
    assert np.mean([case.accepts(corrupt(case)) for case in drawn]) <= limit


def test_an_edit_that_dyes_two_garments_is_refused(drawn):
    cases = [case for case in drawn if case.person.wears('lower')
             and case.request.new_color in colors_for(case.person, 'lower')
             and case.request.new_color in colors_for(case.person, 'upper')]
    assert len(cases) > 20
    assert np.mean([case.accepts(spill(case)) for case in cases]) <= .2


@pytest.mark.parametrize('way, limit', [('left', .25), ('top', .05), ('blob', .1)])
def test_edits_of_a_third_of_the_garment_are_refused(drawn, way, limit):
    parts = [(case, case.part(way)) for case in drawn]
    assert np.mean([case.accepts(image) and SEAMS(case.request, case.result(image)).ok
                    for case, image in parts]) <= limit


def test_most_perfect_edits_have_no_seams(drawn):
    assert np.mean([SEAMS(case.request, case.result(case.after)).ok for case in drawn]) >= .7


def half_dyed(columns=slice(4, 10), before=None):
    image = blocks(RED, BLUE) if before is None else before
    image[6:18, columns] = GREEN
    return image


def up_to_the_border(color):
    image = blocks(color, BLUE)
    image[6:18, :4] = color
    return image


@pytest.mark.parametrize('before, after, seams, outline', [
    (blocks(RED, BLUE), blocks(GREEN, BLUE), 0, 48),
    (blocks(RED, BLUE), half_dyed(), 12, 36),
    (up_to_the_border(RED), up_to_the_border(GREEN), 12, 56),
    (up_to_the_border(RED), half_dyed(slice(4, 16), up_to_the_border(RED)), 12, 48),
])
def test_seams_are_where_the_source_runs_on(before, after, seams, outline):
    verdict = SeamGate()(ask(before), give(after))
    assert verdict.value == pytest.approx(seams / outline, abs=.05)
    assert verdict.ok == (seams == 0)


def test_seams_do_not_depend_on_the_size():
    large = [Image.fromarray(image).resize((100, 200), Image.Resampling.NEAREST)
             for image in (blocks(RED, BLUE), half_dyed())]
    request, result = ask(np.asarray(large[0])), give(np.asarray(large[1]))
    small = SeamGate()(ask(blocks(RED, BLUE)), give(half_dyed()))
    assert SeamGate()(request, result).value == pytest.approx(small.value, abs=.05)


def test_an_unedited_image_has_no_seams():
    assert np.isnan(SeamGate()(ask(blocks(RED, BLUE)), give(blocks(RED, BLUE))).value)


@pytest.mark.parametrize('asked, found, value', [
    ('black', (0, 3, 9), 0.), ('black', (0, 0, 0), 1.), ('white', (255, 248, 240), 0.),
    ('white', (255, 255, 255), 1.), ('green', (255, 248, 240), 1.), ('green', (0, 3, 9), 1.),
    ('yellow', (120, 105, 0), 0.), ('red', (255, 0, 40), 1.)])
def test_what_the_asked_colour_explains_is_not_burnt(asked, found, value):
    verdict = SanityGate()(ask(blocks(RED, BLUE), new_color=asked),
                           give(blocks(found, BLUE), upper_block()))
    assert verdict.value == value


def test_strength_rises_with_the_edit(drawn):
    """Half-way between two colours lies a third one, so a half edit is as bad as none."""
    none, quarter, half, most, whole = np.median(
        [[case.verdicts(np.uint8(case.before + share * (case.after.astype(float) - case.before)))[
            'edit_strength'].value for share in np.linspace(0, 1, 5)] for case in drawn[:16]], 0)
    assert none == 0 and max(quarter, half) <= 0 < most < whole


@pytest.mark.parametrize('name, corrupt', [
    ('locality', lambda case, k: np.where(_left(case, k) & ~case.mask[..., None],
                                          255 - case.after, case.after)),
    ('sanity', lambda case, k: np.where(_left(case, k), np.uint8(255), case.after)),
])
def test_values_rise_with_the_corruption(drawn, name, corrupt):
    for case in drawn[:6]:
        values = [case.verdicts(corrupt(case, k))[name].value for k in (0, .3, .6, 1)]
        assert values == sorted(values) and values[0] < values[-1]


def _left(case, share):
    return (np.arange(SIZE[1]) < share * SIZE[1])[None, :, None]


def test_votes_are_those_of_the_nearest_shade():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (200, 3))
    shades = {name: [shade_of(colors()[name].rgb, k) for k in (.3, .4, .5, .65, .8, 1, 1.15)]
              for name in NAMES}
    expected = np.zeros(len(NAMES))
    for lab in rgb_to_lab(pixels):
        best = min(NAMES, key=lambda name: min(np.linalg.norm(lab - s) for s in shades[name]))
        expected[NAMES.index(best)] += 1 / len(pixels)
    assert color_votes(pixels) == pytest.approx(expected)
    assert color_votes(pixels[:0]).tolist() == [0.] * len(NAMES)


def shade_of(rgb, factor):
    """A colour in another light, Lab, one channel at a time."""
    out = []
    for value in rgb:
        v = value / 255
        light = factor * (v / 12.92 if v <= .04045 else ((v + .055) / 1.055) ** 2.4)
        light = min(light, 1.)
        v = 12.92 * light if light <= .0031308 else 1.055 * light ** (1 / 2.4) - .055
        out.append(255 * v)
    return rgb_to_lab(np.array(out))


@pytest.mark.parametrize('gate, after, value', [
    (EditStrengthGate(), blocks(GREEN, BLUE), 1.),
    (EditStrengthGate(), blocks(RED, BLUE), 0.),
    (EditStrengthGate(), blocks(BLUE, BLUE), -1.),
    (LocalityGate(), blocks(GREEN, BLUE), 0.),
    (KeepColorsGate(), blocks(GREEN, BLUE), 0.),
    (KeepColorsGate(), blocks(GREEN, GREEN), 192 / (800 - 144)),
    (SanityGate(), blocks(GREEN, BLUE), 0.),
    (SanityGate(), blocks((0, 255, 0), BLUE), 1.),
    (SanityGate(), np.full((40, 20, 3), 90, np.uint8), 1.),
    (MaskGate(), blocks(GREEN, BLUE), 144 / 800),
    (CaptionGate(), blocks(GREEN, BLUE), 0),
])
def test_values_on_plain_blocks(gate, after, value):
    verdict = gate(ask(blocks(RED, BLUE)), give(after, upper_block()))
    assert verdict.value == pytest.approx(value)
    assert verdict.ok == ((gate.low is None or value >= gate.low)
                          and (gate.high is None or value <= gate.high))


def test_without_a_mask_the_region_is_judged():
    request = ask(blocks(RED, BLUE))
    gate = EditStrengthGate()
    right, wrong = (gate(request, give(image)) for image in (blocks(GREEN, BLUE),
                                                             blocks(RED, GREEN)))
    assert right.ok and right.value > 2 * wrong.value
    verdict = MaskGate()(request, give(blocks(GREEN, BLUE)))
    assert verdict.ok and np.isnan(verdict.value)


@pytest.mark.parametrize('region', BANDS)
def test_the_region_is_the_middle_of_its_band(region):
    mask = region_mask((100, 50), region)
    rows, columns = np.nonzero(mask)
    top, bottom = BANDS[region]
    assert (rows.min(), rows.max() + 1) == (round(100 * top), round(100 * bottom))
    assert (columns.min(), columns.max() + 1) == (10, 40)


@pytest.mark.parametrize('region, ok', [('upper', True), ('lower', False), ('full', True)])
def test_a_mask_must_lie_in_its_region(region, ok):
    verdict = MaskGate()(ask(blocks(RED, BLUE), region), give(blocks(GREEN, BLUE), upper_block()))
    assert verdict.ok == ok


@pytest.mark.parametrize('seen, ok', [((20, 40), True), ((0, 20), False), (None, False)])
def test_where_a_garment_is_seen_counts_more_than_where_it_is_worn(seen, ok):
    """A portrait's coat lies at the foot of the picture."""
    parts, mask = np.zeros((40, 20), np.uint8), np.zeros((40, 20), bool)
    mask[28:38, 5:15] = True
    if seen:
        parts[slice(*seen)] = PARTS.index('upper')
    request = replace(ask(blocks(RED, BLUE)), evidence=EditEvidence(parts=parts))
    assert MaskGate()(request, give(blocks(GREEN, BLUE), mask)).ok == ok
    assert not MaskGate()(ask(blocks(RED, BLUE)), give(blocks(GREEN, BLUE), mask)).ok


@pytest.mark.parametrize('mask', [np.zeros((40, 20), bool), np.ones((40, 20), bool)])
def test_no_mask_and_a_mask_of_everything_are_refused(mask):
    verdicts = run_gates([g for g in GATES if g.name in ('mask', 'edit_strength', 'sanity')],
                         ask(blocks(RED, BLUE)), give(blocks(GREEN, BLUE), mask))
    assert not verdicts['mask'].ok
    assert LocalityGate()(ask(blocks(RED, BLUE)), give(blocks(GREEN, BLUE), mask)).ok == mask.all()


@pytest.mark.parametrize('target, faults', [
    ('A man in a green shirt and blue jeans.', 0),
    ('A man in a green coat and blue jeans.', 1),       # another garment
    ('A man in a green shirt and blue jeans, too.', 1),
    ('A man in a brown shirt and blue jeans.', 1),      # another colour
    ('A man in a dark  shirt and blue jeans.', 1),      # no colour
])
def test_captions(target, faults):
    assert CaptionGate()(ask(blocks(RED, BLUE), target=target),
                         give(blocks(GREEN, BLUE))).value == faults


def test_an_article_may_change():
    request = ask(blocks(RED, BLUE), target='A man in an orange shirt and blue jeans.',
                  new_color='orange', target_span=(12, 18), target_phrase_span=(12, 24))
    assert CaptionGate()(request, give(blocks(GREEN, BLUE))).ok


def test_ranking_asks_both_ways():
    def scorer(images, captions):
        asked.append((images, captions))
        return scores
    asked, scores = [], [[.5, .2], [.1, .3]]
    request, result = ask(blocks(RED, BLUE)), give(blocks(GREEN, BLUE))
    verdict = RankingGate(scorer, low=.25)(request, result)
    assert verdict.value == pytest.approx(.2) and not verdict.ok
    assert asked == [([request.image, result.image],
                      [request.source_caption, request.target_caption])]
    scores = [[.5, .2], [.6, .3]]
    assert RankingGate(scorer)(request, result).value == pytest.approx(-.3)
    with pytest.raises(ValueError, match='scores'):
        RankingGate(lambda images, captions: np.zeros(3))(request, result)


def test_gates_build_from_configs():
    gate = TASK_UTILS.build(dict(type=LocalityGate, high=.5))
    assert gate(ask(blocks(RED, BLUE)), give(blocks(GREEN, BLUE))).high == .5


@pytest.mark.parametrize('result, message', [
    (EditResult('other', Image.new('RGB', (20, 40))), 'job other'),
    (EditResult('j', Image.new('RGB', (20, 41))), 'size'),
    (EditResult('j', Image.new('RGB', (20, 40)), np.zeros((20, 40), bool)), 'mask'),
])
def test_results_of_another_job_or_size_are_refused(result, message):
    with pytest.raises(ValueError, match=message):
        SanityGate()(ask(blocks(RED, BLUE)), result)


def test_two_gates_of_one_name_are_refused():
    with pytest.raises(ValueError, match='sanity'):
        run_gates([SanityGate(), SanityGate()], ask(blocks(RED, BLUE)), give(blocks(RED, BLUE)))


def test_a_region_without_a_place_is_refused():
    with pytest.raises(ValueError, match='shoes'):
        EditStrengthGate()(ask(blocks(RED, BLUE), region='shoes'), give(blocks(RED, BLUE)))
