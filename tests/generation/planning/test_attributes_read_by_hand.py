"""Captions in the style of the public sets, each with the attributes that a person would change."""

import json
from pathlib import Path

import pytest

from mmtbps.generation.planning import AttributeSwitcher

FILE = Path(__file__).with_name('attributes_read_by_hand.jsonl')
#: ``captions`` of one image; ``plan``: a change -> each caption with it, ``null`` where the caption
#: must be left out. What else may change in the same thing is not listed; a thing that is not
#: there must not change. Additions are a kind of their own here, for they are always many.
CASES = [json.loads(line) for line in FILE.read_text(encoding='utf-8').splitlines()]


def planned(kind, captions):
    """Every edit of a kind that the planner may choose: ``{change: captions}``."""
    switcher, found = AttributeSwitcher(['accessory' if kind == 'addition' else kind]), {}
    for change in switcher.options(captions):
        edit = switcher.apply(captions, change)
        if edit is not None and (not change.old) == (kind == 'addition'):
            noun = f'{edit.noun}: ' if kind == 'pattern' else ''
            after = dict(zip(edit.kept, edit.target_captions, strict=True))
            found[f'{noun}{edit.old} -> {edit.new}'] = [
                after.get(i) for i in range(len(captions))]
    return found


def things(changes):
    """The things that change, and whether they go away or come."""
    return {(change.split(' -> ')[0], ' -> no ' in change) for change in changes}


@pytest.mark.parametrize('case', CASES, ids=[
    f'{case["kind"]}-{case["captions"][-1][:50]}' for case in CASES])
def test_the_plan_is_the_one_made_by_hand(case):
    found = planned(case['kind'], case['captions'])
    if case['kind'] != 'addition' or not case['plan']:
        assert things(found) == things(case['plan'])
    for change, after in case['plan'].items():
        assert found[change] == after


def test_there_are_enough_of_every_kind():
    assert len({json.dumps(case) for case in CASES}) == len(CASES) >= 60
    for kind in ('garment', 'pattern', 'accessory', 'addition'):
        of_kind = [bool(case['plan']) for case in CASES if case['kind'] == kind]
        assert of_kind.count(True) > 5 and of_kind.count(False) > 1
