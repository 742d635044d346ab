"""The truth of an edit."""

import re
from dataclasses import replace

import numpy as np
import pytest

from mmtbps.drawing import recolour, sample_person, sample_scene
from mmtbps.drawing.attributes import COLOURS
from mmtbps.drawing.edits import colours_for, draw_edit, garment_mask
from mmtbps.drawing.wording import COLOUR_WORDS


def lot(key):
    rng = np.random.default_rng(key)
    return sample_person(rng), sample_scene(rng), rng


def grown(mask, by=3):
    """Plain dilation by a square, as a reference."""
    out = np.zeros_like(mask)
    for y, x in np.argwhere(mask):
        out[max(y - by, 0):y + by + 1, max(x - by, 0):x + by + 1] = True
    return out


def without_colours(text):
    """The caption with every colour word as COLOUR, and the colours."""
    names = {name for words in COLOUR_WORDS.values() for name in words[0]}
    pattern = r'\b(' + '|'.join(sorted(names, key=len, reverse=True)) + r')\b'
    return re.sub(r'\b([Aa])n ', r'\1 ', re.sub(pattern, 'COLOUR', text)), re.findall(pattern, text)


@pytest.mark.parametrize('garment', ['upper', 'lower', 'shoes', 'bag'])
def test_an_edit_changes_the_garment_and_nothing_else(garment):
    edits = 0
    for i in range(60):
        person, scene, rng = lot((8, i))
        if not person.wears(garment) or edits == 6:
            continue
        colour = 'yellow' if 'yellow' in colours_for(person, garment) else 'green'
        edit = draw_edit(person, scene, garment, colour, rng)
        change = np.abs(edit.before.astype(int) - edit.after).max(-1)
        if edit.mask.sum() < 40:
            continue
        assert np.median(change[edit.mask]) > 10
        assert np.percentile(change[~grown(edit.mask)], 99) <= 3
        edits += 1
    assert edits == 6


def test_edited_captions_differ_in_the_colour_alone():
    changed = 0
    for i in range(80):
        person, scene, rng = lot((8, i))
        colour = colours_for(person, 'upper')[i % 14]
        edit = draw_edit(person, scene, 'upper', colour, rng, size=(16, 8))
        for before, after in zip(edit.captions, edit.edited_captions, strict=True):
            (frame, old), (other_frame, new) = without_colours(before), without_colours(after)
            assert frame == other_frame
            swapped = [pair for pair in zip(old, new, strict=True) if pair[0] != pair[1]]
            assert len(swapped) <= 1, (before, after)
            changed += len(swapped)
    assert changed > 150                           # a few near misses meet the same word


def test_the_new_cloth_has_the_new_colour():
    person, _, rng = lot((8, 1))
    shades = [recolour(person, 'shoes', 'green', rng).rgb['shoes'] for _ in range(200)]
    assert np.mean(shades, 0) == pytest.approx(COLOURS['green'], abs=6)
    assert recolour(person, 'shoes', 'green', rng).rgb['upper'] == person.rgb['upper']


def test_a_mask_is_the_same_whatever_the_colour():
    person, scene, rng = lot((8, 2))
    other = recolour(person, 'upper', 'orange', rng)
    mask = garment_mask(person, scene, 'upper')
    assert mask.any() and np.array_equal(mask, garment_mask(other, scene, 'upper'))


def test_the_colour_of_the_pattern_is_no_choice():
    person, _, rng = lot((8, 2))
    person = replace(person, upper='t-shirt', pattern='striped',
                     colours={**person.colours, 'upper': 'red', 'accent': 'white'})
    assert not {'red', 'white'} & set(colours_for(person, 'upper'))
    with pytest.raises(ValueError, match="upper cannot turn 'white'; possible are black"):
        recolour(person, 'upper', 'white', rng)


def test_a_garment_that_is_not_worn_cannot_change():
    person, _, rng = lot((8, 2))
    with pytest.raises(ValueError, match="the person has no 'scarf'; there are upper"):
        recolour(replace(person, scarf=False), 'scarf', 'red', rng)
