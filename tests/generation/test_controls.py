"""Negative controls: wrong by construction, refused by the gates, counted."""

import numpy as np
import pytest
from drawn_edits import BLUE, GATES, GREEN, RED, ask, blocks, draw_some, give
from PIL import Image

from mmtbps.generation.controls import (
    CONTROLS,
    control_rates,
    controls_hold,
    negative_controls,
    other_color,
    try_controls,
)
from mmtbps.generation.gates import CaptionGate, EditStrengthGate
from mmtbps.lexicon import find_color_mentions


def test_gates_refuse_the_controls_of_perfect_edits():
    drawn = draw_some(24, seed=12)
    outcomes = [try_controls(GATES, case.request, case.result(case.after), other.request.image)
                for case, other in zip(drawn, drawn[1:] + drawn[:1], strict=True)]
    rates = control_rates(outcomes)
    assert tuple(rates) == CONTROLS and controls_hold(rates, limit=.1)


def test_gates_that_see_nothing_let_controls_pass():
    outcomes = [try_controls([CaptionGate()], ask(blocks(RED, BLUE)), give(blocks(GREEN, BLUE)))]
    rates = control_rates(outcomes)
    assert rates == dict(unedited=1., over_strong=1., other_color=1.)
    assert not controls_hold(rates)


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


def test_rates_count_each_control_by_itself():
    outcomes = [dict(a=True, b=False), dict(a=False, b=False), dict(a=False)]
    assert control_rates(outcomes) == dict(a=1 / 3, b=0.)
    assert control_rates([]) == {} and not controls_hold({})
    assert controls_hold(dict(a=.1)) and not controls_hold(dict(a=.0, b=.11))
