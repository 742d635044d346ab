"""Negatives by color: what is written is wrong, in its colors alone, and reads well."""

from itertools import permutations

import numpy as np
import pytest

from mmtbps.drawing.captions import caption as drawn_caption
from mmtbps.drawing.person import sample_person, sample_scene
from mmtbps.lexicon import find_color_mentions
from mmtbps.lexicon.color_distance import base_colors, color_distance
from mmtbps.lexicon.color_negatives import (
    colored_things,
    permute_colors,
    replace_color,
    write_colors,
)


def drawn_captions(count):
    for number in range(count):
        rng = np.random.default_rng((3, number))
        yield drawn_caption(sample_person(rng), sample_scene(rng), seed=number)


def every_permutation(caption):
    return sorted(permute_colors(caption, np.random.default_rng(0), count=1000))


@pytest.mark.parametrize('caption, expected', [
    ('A man in a red coat and blue jeans.', ['A man in a blue coat and red jeans.']),
    ('An orange top, a red skirt.', ['A red top, an orange skirt.']),
    ('His shirt is red. His shoes are white.', ['His shirt is white. His shoes are red.']),
    ('RED SHIRT, BLUE JEANS', ['BLUE SHIRT, RED JEANS']),
    ('Red shirt, dark blue jeans', ['Dark blue shirt, red jeans']),
    # A garment named twice keeps one color.
    ('A red shirt and blue jeans, the shirt is red.',
     ['A blue shirt and red jeans, the shirt is blue.']),
    # Carried, but its own.
    ('A man in a red coat carrying a white bag.', ['A man in a white coat carrying a red bag.']),
    # Hair has colors of its own.
    ('A woman with blonde hair in a red coat.', []),
    ('A woman with black hair in a red coat and white shoes.',
     ['A woman with black hair in a white coat and red shoes.']),
    # The same meaning, or one color alone.
    ('A dark blue coat and blue jeans.', []), ('A man in a red coat.', []),
    # Taken for one another by anybody.
    ('A maroon coat and red shoes.', []), ('A teal coat and blue shoes.', []),
    ('A khaki coat and green shoes.', []), ('A green coat and khaki shoes.', []),
    ('A teal coat and a blue hat, red shoes.', ['A red coat and a blue hat, teal shoes.',
     'A teal coat and a red hat, blue shoes.', 'A blue coat and a red hat, teal shoes.',
     'A red coat and a teal hat, blue shoes.']),
    # Two colors, or whose it is is not certain.
    ('A red and white shirt and blue jeans.', []), ('A red shirt and jeans, a blue bag?', []),
    ('A man in a red coat next to a man in a blue coat.', []), ('', []),
])
def test_permutations_of_a_caption(caption, expected):
    assert every_permutation(caption) == sorted(expected)


def test_three_colors_have_five_other_orders_and_each_comes_once():
    caption = 'A red coat, blue jeans, white shoes.'
    wanted = {f'A {a} coat, {b} jeans, {c} shoes.'
              for a, b, c in permutations(('red', 'blue', 'white'))} - {caption}
    assert every_permutation(caption) == sorted(wanted)
    some = [permute_colors(caption, np.random.default_rng(seed), 2) for seed in range(40)]
    assert all(len(set(pair)) == 2 for pair in some)
    assert {text for pair in some for text in pair} == wanted


def test_permutations_of_drawn_captions_say_other_things_with_the_same_colors():
    found = 0
    for caption in drawn_captions(60):
        before = [(m.noun, m.bases) for m in find_color_mentions(caption)]
        for text in permute_colors(caption, np.random.default_rng(1), 3):
            after = [(m.noun, m.bases) for m in find_color_mentions(text)]
            assert [noun for noun, _ in after] == [noun for noun, _ in before]
            assert sorted(bases for _, bases in after) == sorted(bases for _, bases in before)
            moved = [color_distance(a[0], b[0]) for (_, a), (_, b) in zip(
                before, after, strict=True) if a != b]
            assert max(moved) >= 30
            assert all(a == b for (noun, a), (_, b) in zip(before, after, strict=True)
                       if noun == 'hair')
            found += 1
    assert found > 100


def test_a_replaced_color_is_a_new_one_on_one_garment():
    for caption in drawn_captions(30):
        before = [m.bases for m in find_color_mentions(caption)]
        used = {base for bases in before for base in bases}
        for text in replace_color(caption, np.random.default_rng(2), 2):
            after = [m.bases for m in find_color_mentions(text)]
            changed = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
            assert changed and len({new for _, new in changed}) == 1
            assert not set(changed[0][1]) & used
    assert replace_color('A man walks.', np.random.default_rng(0)) == []


def test_any_thing_of_one_color_may_get_another():
    caption = 'A woman with black hair in a red coat and white shoes carries a green bag.'
    made = replace_color(caption, np.random.default_rng(0), 99)
    changed = [[(old, new) for old, new in zip(caption.split(), text.split(), strict=True)
                if old != new and old not in ('a', 'an')] for text in made]
    assert all(len(one) == 1 for one in changed) and len(set(made)) == len(made)
    found = {one[0] for one in changed}
    assert {old for old, _ in found} == {'red', 'white', 'green'}
    assert not {new for _, new in found} & {'black', 'red', 'white', 'green'}
    far = {(old, new) for old in ('red', 'white', 'green') for new in base_colors()
           if new not in ('black', 'red', 'white', 'green') and color_distance(old, new) >= 30}
    assert found == far
    assert len(replace_color(caption, np.random.default_rng(1), 2)) == 2


def test_things_are_listed_with_all_their_places():
    caption = 'A dark blue coat; the coat is blue, his cap navy.'
    coat, = [thing for thing in colored_things(caption) if thing.name == 'coat']
    assert [caption[slice(*span)] for span in coat.spans] == ['dark blue', 'blue']
    assert (coat.region, coat.base, coat.text) == ('upper', 'blue', 'dark blue')
    assert write_colors(caption, [coat], {'coat': 'orange'}) == (
        'An orange coat; the coat is orange, his cap navy.')
    assert write_colors(caption, [coat], {}) == caption
