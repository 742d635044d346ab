"""Changes of captions: what they leave true, and what they make false."""

import numpy as np
import pytest

from mmtbps.errors import BadValue
from mmtbps.lexicon import read_attributes
from mmtbps.robustness.captions import (
    contradict_color,
    drop_attribute,
    paraphrase,
    permute_colors,
    truncate,
)

CAPTION = 'The woman wears a red coat, blue jeans and a black backpack.'


def said(caption):
    return {item.type: item.bases for item in read_attributes(caption).items}


@pytest.mark.parametrize('seed', range(8))
def test_a_paraphrase_says_of_the_clothes_the_same_in_other_words(seed):
    new = paraphrase(CAPTION, np.random.default_rng(seed))
    clothes = {kind: bases for kind, bases in said(CAPTION).items() if kind != 'backpack'}
    assert new != CAPTION and said(new) == clothes


@pytest.mark.parametrize('seed', range(8))
def test_a_dropped_attribute_leaves_the_others(seed):
    before, after = said(CAPTION), said(drop_attribute(CAPTION, np.random.default_rng(seed)))
    assert len(after) == len(before) - 1 and after.items() < before.items()


@pytest.mark.parametrize('seed', range(8))
def test_a_contradiction_has_one_colour_wrong(seed):
    before, after = said(CAPTION), said(contradict_color(CAPTION, np.random.default_rng(seed)))
    assert before.keys() == after.keys()
    assert sum(before[kind] != after[kind] for kind in before) == 1


@pytest.mark.parametrize('seed', range(8))
def test_a_permutation_exchanges_two_colours_and_keeps_every_word(seed):
    new = permute_colors(CAPTION, np.random.default_rng(seed))
    before, after = said(CAPTION), said(new)
    assert before.keys() == after.keys()
    assert sorted(before.values()) == sorted(after.values())
    assert sum(before[kind] != after[kind] for kind in before) == 2
    assert sorted(new.split()) == sorted(CAPTION.split())


@pytest.mark.parametrize('caption, expected', [
    ('A man in an orange coat and a blue hat.', 'A man in a blue coat and an orange hat.'),
    ('Red coat and blue jeans.', 'Blue coat and red jeans.'),
    ('A man in a dark blue shirt and white shoes.', 'A man in a white shirt and dark blue shoes.'),
    ('A red coat and red shoes.', None), ('A maroon coat and dark red shoes.', None),
    ('A red and white striped shirt, black pants.', None),  # whose colour is the first?
    ('A blue shirt; his shirt is blue, his pants are black.',  # both times it is the shirt
     'A black shirt; his shirt is black, his pants are blue.'),
    ('A man in a red coat.', None), ('Ein Mann im roten Mantel 🧥', None),
    ('红色外套，蓝色裤子', None)])
def test_colours_are_exchanged_only_where_it_makes_the_caption_false(caption, expected):
    assert permute_colors(caption, np.random.default_rng(0)) == expected


@pytest.mark.parametrize('change', [paraphrase, drop_attribute, contradict_color, permute_colors])
def test_what_cannot_be_changed_is_none(change):
    assert change('A person walks by.', np.random.default_rng(0)) is None


@pytest.mark.parametrize('share, words', [(.5, 6), (.25, 3), (.01, 1), (.99, None)])
def test_truncation_keeps_the_beginning(share, words):
    new = truncate(CAPTION, None, share)
    assert new == (None if words is None else ' '.join(CAPTION.split()[:words]))


def test_a_share_of_all_or_nothing():
    for share in (0, 1, 1.5):
        with pytest.raises(BadValue, match='share must lie between 0 and 1'):
            truncate(CAPTION, None, share)
