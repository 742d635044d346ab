"""Approximate text generation leaves each colour and negation with its noun."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from mmtbps.datasets.transforms.caption_augment import approximate_text
from mmtbps.lexicon import find_color_mentions

BY_HAND = Path(__file__).parents[2] / 'generation/planning/captions_read_by_hand.jsonl'


def captions_with_colors(count):
    captions = [caption for line in BY_HAND.read_text(encoding='utf-8').splitlines()
                for caption in json.loads(line)['captions'] if find_color_mentions(caption)]
    return captions[::len(captions) // count][:count]


@pytest.mark.parametrize('draws', [20, pytest.param(200, marks=pytest.mark.slow)])
def test_no_color_goes_to_another_noun(draws):
    def colors_of(caption):
        return [(mention.bases, mention.noun) for mention in find_color_mentions(caption)]

    captions, rng, changed = captions_with_colors(78), np.random.default_rng(0), 0
    assert len(captions) == 78
    for caption in captions:
        before = colors_of(caption)
        for _ in range(draws):
            new = approximate_text(caption, rng)
            assert colors_of(new) == before, (caption, new)
            changed += new != caption
    assert changed > .75 * 78 * draws


@pytest.mark.parametrize('caption, never', [
    ('A man in a blue shirt and a skirt.', r'blue shirt( and)? skirt'),
    ('A red coat and some boots.', r'red coat( and)? boots'),
    ('He has brown hair in a ponytail.', r'brown hair ponytail'),
    ('He wears no hat and a bag.', r'no hat bag'),
    ('A man in black walks past a shirt.', r'black shirt'),
    ('A red shirt with blue on the shoulders.', r'blue shoulders'),
    ('A woman with an orange in her hand.', r'orange hand'),
])
def test_words_are_cut_only_where_the_noun_stays(caption, never):
    for seed in range(200):
        for operation in ('crop', 'delete'):
            new = approximate_text(caption, np.random.default_rng(seed), operations=[operation])
            assert not re.search(never, new), new


@pytest.mark.parametrize('caption', ['An old man in a red coat.', 'The man in a dark shirt.',
                                     'His friend has an orange coat.'])
def test_no_article_stands_before_another(caption):
    seen = set()
    for seed in range(200):
        seen.add(approximate_text(caption, np.random.default_rng(seed), delete_rate=.6,
                                  operations=['delete']))
    assert not [new for new in seen if re.search(r'(?i)\b(an?|the|his) (an?|the|his)\b', new)]
    assert {new.split()[0].lower() for new in seen} & {'a', 'an'}


def test_a_caption_in_capitals_stays_so():
    caption = 'A TALL OLD MAN WEARS A RED COAT ON A STREET.'
    found = {approximate_text(caption, np.random.default_rng(seed)) for seed in range(60)}
    assert len(found) > 10 and all(new.isupper() for new in found)
