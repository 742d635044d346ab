"""Captions in the style of the public sets, each with the plan that a person would make."""

import json
from pathlib import Path

import pytest

from mmtbps.lexicon.color_switching import ColorSwitcher

FILE = Path(__file__).with_name('captions_read_by_hand.jsonl')
#: ``captions`` of one image; ``plan``: garment -> a new colour, and each caption with it, ``null``
#: where the caption must be left out. A garment that is not there must not be edited.
CASES = [json.loads(line) for line in FILE.read_text(encoding='utf-8').splitlines()]


def planned(captions):
    """Every edit the planner may choose: ``{(garment, new colour): captions}``."""
    switcher, found = ColorSwitcher(), {}
    for target, color in switcher.options(captions):
        edit = switcher.apply(captions, target, color)
        if edit is not None:
            after = dict(zip(edit.kept, edit.target_captions, strict=True))
            found[target.noun, color] = [after.get(i) for i in range(len(captions))]
    return found


@pytest.mark.parametrize('case', CASES, ids=[case['captions'][-1][:50] for case in CASES])
def test_the_plan_is_the_one_made_by_hand(case):
    found = planned(case['captions'])
    assert {noun for noun, _ in found} == set(case['plan'])
    for noun, (color, *after) in case['plan'].items():
        assert found[noun, color] == after


def test_there_are_enough_of_both_kinds():
    assert len(CASES) >= 200 and len({tuple(case['captions']) for case in CASES}) == len(CASES)
    assert min(sum(bool(case['plan']) for case in CASES),
               sum(not case['plan'] for case in CASES)) > 80
