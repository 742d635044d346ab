"""The truth of an edit."""

import re
from dataclasses import replace

import numpy as np
import pytest

import mmtbps.drawing
from mmtbps.drawing import recolor, sample_person, sample_scene
from mmtbps.drawing.attributes import COLORS
from mmtbps.drawing.edits import colors_for, draw_edit, garment_mask
from mmtbps.drawing.wording import COLOR_WORDS


def lot(key):
    rng = np.random.default_rng(key)
    return sample_person(rng), sample_scene(rng), rng


def grown(mask, by=3):
    """Plain dilation by a square, as a reference."""
    out = np.zeros_like(mask)
    for y, x in np.argwhere(mask):
        out[max(y - by, 0):y + by + 1, max(x - by, 0):x + by + 1] = True
    return out


def without_colors(text):
    """The caption with every color word as COLOR, and the colors."""
    names = {name for words in COLOR_WORDS.values() for name in words[0]}
    pattern = r'\b(' + '|'.join(sorted(names, key=len, reverse=True)) + r')\b'
    return re.sub(r'\b([Aa])n ', r'\1 ', re.sub(pattern, 'COLOR', text)), re.findall(pattern, text)


@pytest.mark.parametrize('garment', ['upper', 'lower', 'shoes', 'bag'])
def test_an_edit_changes_the_garment_and_nothing_else(garment):
    edits = 0
    for i in range(60):
        person, scene, rng = lot((8, i))
        if not person.wears(garment) or edits == 6:
            continue
        color = 'yellow' if 'yellow' in colors_for(person, garment) else 'green'
        edit = draw_edit(person, scene, garment, color, rng)
        change = np.abs(edit.before.astype(int) - edit.after).max(-1)
        if edit.mask.sum() < 40:
            continue
        assert np.median(change[edit.mask]) > 10
        assert np.percentile(change[~grown(edit.mask)], 99) <= 3
        edits += 1
    assert edits == 6


def test_the_former_name_of_recolor_warns():
    with pytest.warns(DeprecationWarning, match='is now recolor'):
        assert mmtbps.drawing.recolour is recolor


def test_edited_captions_differ_in_the_color_alone():
    changed = 0
    for i in range(80):
        person, scene, rng = lot((8, i))
        color = colors_for(person, 'upper')[i % 14]
        edit = draw_edit(person, scene, 'upper', color, rng, size=(16, 8))
        for before, after in zip(edit.captions, edit.edited_captions, strict=True):
            (frame, old), (other_frame, new) = without_colors(before), without_colors(after)
            assert frame == other_frame
            swapped = [pair for pair in zip(old, new, strict=True) if pair[0] != pair[1]]
            assert len(swapped) <= 1, (before, after)
            changed += len(swapped)
    assert changed > 150                           # a few near misses meet the same word


def test_the_new_cloth_has_the_new_color():
    person, _, rng = lot((8, 1))
    shades = [recolor(person, 'shoes', 'green', rng).rgb['shoes'] for _ in range(200)]
    assert np.mean(shades, 0) == pytest.approx(COLORS['green'], abs=6)
    assert recolor(person, 'shoes', 'green', rng).rgb['upper'] == person.rgb['upper']


def test_a_mask_is_the_same_whatever_the_color():
    person, scene, rng = lot((8, 2))
    other = recolor(person, 'upper', 'orange', rng)
    mask = garment_mask(person, scene, 'upper')
    assert mask.any() and np.array_equal(mask, garment_mask(other, scene, 'upper'))


def test_the_color_of_the_pattern_is_no_choice():
    person, _, rng = lot((8, 2))
    person = replace(person, upper='t-shirt', pattern='striped',
                     colors={**person.colors, 'upper': 'red', 'accent': 'white'})
    assert not {'red', 'white'} & set(colors_for(person, 'upper'))
    with pytest.raises(ValueError, match="upper cannot turn 'white'; possible are black"):
        recolor(person, 'upper', 'white', rng)


def test_a_garment_that_is_not_worn_cannot_change():
    person, _, rng = lot((8, 2))
    with pytest.raises(ValueError, match="the person has no 'scarf'; there are upper"):
        recolor(replace(person, scarf=False), 'scarf', 'red', rng)
