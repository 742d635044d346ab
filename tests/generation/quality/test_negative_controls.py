"""Negative controls: wrong by construction, refused by the gates, counted."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from benchmarks.edit_truth import drawn_evidence
from drawn_edits import BLUE, GATES, GREEN, RED, ask, blocks, draw_some, give, upper_block
from PIL import Image

from mmtbps.generation.evidence import PARTS, EditEvidence
from mmtbps.generation.quality.gates import CaptionGate, EditStrengthGate, run_gates
from mmtbps.generation.quality.negative_controls import (
    CONTROLS,
    PLACE_CONTROLS,
    negative_controls,
    other_color,
    try_controls,
)
from mmtbps.generation.quality.place_gates import PlaceGate, PreserveGate
from mmtbps.generation.runs.manifest import Record
from mmtbps.generation.runs.run_summary import InvalidRun, summarise
from mmtbps.lexicon import find_color_mentions


def summary_of(outcomes, **limits):
    return summarise([Record(str(i), 'accepted', {}, {}, {}, {}, controls=outcome)
                      for i, outcome in enumerate(outcomes)], **limits)


def test_gates_refuse_the_controls_of_perfect_edits():
    drawn = draw_some(24, seed=12)
    outcomes = [try_controls(GATES, case.request, case.result(case.after), other.request.image)
                for case, other in zip(drawn, drawn[1:] + drawn[:1], strict=True)]
    summary = summary_of(outcomes, max_control_rate=.1)
    assert tuple(summary.controls) == CONTROLS
    assert all(counts.total() == 24 for counts in summary.controls.values())
    summary.check()


def test_gates_that_see_nothing_let_controls_pass():
    outcomes = [try_controls([CaptionGate()], ask(blocks(RED, BLUE)), give(blocks(GREEN, BLUE)))]
    summary = summary_of(outcomes, min_controls=1)
    assert summary.controls == dict.fromkeys(
        ('unedited', 'over_strong', 'other_color'), Counter({True: 1}))
    with pytest.raises(InvalidRun, match='other_color.*over_strong.*unedited'):
        summary.check()


def test_what_the_controls_are():
    request, result = ask(blocks(RED, BLUE)), give(blocks((150, 60, 50), BLUE))
    stranger = Image.new('RGB', (10, 10), GREEN)
    made = negative_controls(request, result, stranger)
    assert made['unedited'][1].image == request.image
    assert made['other_person'][1].image.size == request.image.size
    assert np.asarray(made['other_person'][1].image)[5, 5].tolist() == list(GREEN)
    strong = np.asarray(made['over_strong'][1].image)
    assert strong[10, 10].tolist() == [190 - 4 * 40, 30 + 4 * 30, 40 + 4 * 10]
    assert (strong[25:] == blocks(RED, BLUE)[25:]).all()
    assert all(asked is request for name, (asked, _) in made.items() if name != 'other_color')
    assert 'other_person' not in negative_controls(request, result)


def test_the_caption_of_another_color_is_a_right_caption():
    request, result = ask(blocks(RED, BLUE)), give(blocks(GREEN, BLUE))
    asked, same = negative_controls(request, result)['other_color']
    assert same is result and asked.new_color not in ('red', 'green')
    assert CaptionGate()(asked, same).ok and not EditStrengthGate()(asked, same).ok
    mention = find_color_mentions(asked.target_caption)[0]
    assert mention.bases == (asked.new_color,) and mention.color == asked.target_span
    assert mention.span == asked.target_phrase_span


@pytest.mark.parametrize('old, new', [('black', 'white'), ('red', 'green'), ('beige', 'blue')])
def test_the_other_color_is_neither(old, new):
    request = ask(blocks(RED, BLUE), old_color=old, new_color=new)
    assert other_color(request) not in (old, new)


def test_each_control_is_counted_by_itself():
    outcomes = [dict(a=True, b=False), dict(a=False, b=False), dict(a=False)]
    assert summary_of(outcomes).controls == dict(
        a=Counter({True: 1, False: 2}), b=Counter({False: 2}))


@pytest.mark.parametrize('passed, holds', [(1, True), (2, False)])
def test_a_run_stands_up_to_the_limit(passed, holds):
    outcomes = [dict(a=i < passed, b=False) for i in range(10)]
    assert summary_of(outcomes, max_control_rate=.1).passing_controls() == (
        [] if holds else ["the gates accept 2 of 10 'a' controls"])
    assert not summary_of(outcomes[:9], max_control_rate=.1).passing_controls()


def seen_drawn(count, seed):
    """Perfect edits of drawn people, with the renderer's parsing."""
    drawn = draw_some(count, seed=seed)
    for case in drawn:
        case.request = replace(case.request,
                               evidence=drawn_evidence(case.person, case.scene, case.mask.shape))
    return drawn


def test_controls_of_place_need_gates_of_place():
    drawn = seen_drawn(6, seed=12)
    for gates, holds in ((GATES, False), ([*GATES, PlaceGate(), PreserveGate()], True)):
        outcomes = [try_controls(gates, case.request, case.result(case.after),
                                 other.request.image)
                    for case, other in zip(drawn, drawn[1:] + drawn[:1], strict=True)]
        summary = summary_of(outcomes, max_control_rate=.1, min_controls=5)
        assert set(summary.controls) == {*CONTROLS, *PLACE_CONTROLS}
        assert all(summary.controls[name].total() > 4 for name in PLACE_CONTROLS)
        assert not summary.passing_controls() if holds else (
            ''.join(summary.passing_controls()).count("'partial'") == 1)


@pytest.mark.parametrize('evidence', [None, EditEvidence(person=np.ones((40, 20), bool)),
                                      EditEvidence(parts=np.zeros((40, 20), np.uint8))])
def test_without_a_garment_no_control_of_place_is_tried(evidence):
    made = negative_controls(ask(blocks(RED, BLUE), evidence=evidence), give(blocks(GREEN, BLUE)))
    assert not made.keys() & set(PLACE_CONTROLS)


def test_the_places_of_the_controls():
    parts = np.zeros((40, 20), np.uint8)
    parts[6:18, 4:16] = PARTS.index('upper')
    request = ask(blocks(RED, BLUE), evidence=EditEvidence(parts=parts))
    garment, made = upper_block(), negative_controls(request, give(blocks(GREEN, BLUE)))
    changed = {}
    for name in PLACE_CONTROLS:
        asked, result = made[name]
        assert asked is request and result.evidence is None
        changed[name] = (np.asarray(result.image) != blocks(RED, BLUE)).any(-1)
        assert (changed[name] == result.mask).all()
    assert not (changed['elsewhere'] & garment).any() and changed['elsewhere'].sum() > 70
    assert (changed['partial'] <= garment).all()
    assert changed['partial'].sum() == pytest.approx(.3 * garment.sum(), rel=.2)
    assert (garment <= changed['spill']).all() and changed['spill'].sum() >= 1.5 * garment.sum()


def test_a_garment_that_fills_the_picture_is_nowhere_else():
    parts = np.full((40, 20), PARTS.index('upper'), np.uint8)
    made = negative_controls(ask(blocks(RED, BLUE), evidence=EditEvidence(parts=parts)),
                             give(blocks(GREEN, BLUE)))
    assert 'partial' in made and not made.keys() & {'elsewhere', 'spill'}


@pytest.mark.parametrize('size', [(128, 48), (320, 128)])
@pytest.mark.parametrize('place', [
    (.2, .5, .5, .5), (.2, .5, .48, .52), (.4, .4, 0, 1), (.4, .4, .4, .4), (.2, .5, .45, .55),
    (0, .3, 0, .4), (.7, 1, 0, 1), (.9, 1, .9, 1)])
def test_gates_refuse_the_controls_of_garments_that_are_narrow_or_at_the_border(size, place):
    """Shares of the height and width; a share of nothing is one pixel."""
    top, bottom, left, right = (round(share * size[i // 2]) for i, share in enumerate(place))
    parts = np.zeros(size, np.uint8)
    parts[top:max(bottom, top + 1), left:max(right, left + 1)] = PARTS.index('upper')
    image = np.where(parts[..., None] > 0, np.uint8(RED), np.uint8((128, 128, 128)))
    made = negative_controls(ask(image, evidence=EditEvidence(parts=parts)), give(image))
    tried = made.keys() & set(PLACE_CONTROLS)
    assert {'elsewhere', 'spill'} <= tried
    for name in tried:
        verdicts = run_gates([PlaceGate(), PreserveGate()], *made[name]).values()
        assert not all(verdict.ok for verdict in verdicts), name
