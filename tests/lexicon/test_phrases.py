"""Splitting captions and finding the longest phrases."""

import random
import re

import pytest

from mmtbps.lexicon import colors, details, find_phrases, garments, split_words
from mmtbps.lexicon.phrases import PhraseIndex
from mmtbps.lexicon.vocabulary import synonym_table

KNOWN = {*colors(), *garments(), *details(), *synonym_table()}


PATTERNS = [
    (phrase, re.compile(phrase.replace(' ', r'\s+') + r"(?!\w|['-]\w)", re.IGNORECASE))
    for phrase in sorted(KNOWN, key=lambda phrase: -len(phrase.split(' ')))
]


def slow_find_phrases(caption):
    """At each word start try every known phrase with a regular expression, longest first."""
    found, position = [], 0
    while position < len(caption):
        inside_a_word = position and re.match(r"[\w'-]", caption[position - 1])
        for phrase, pattern in [] if inside_a_word else PATTERNS:
            match = pattern.match(caption, position)
            if match:
                found.append((*match.span(), phrase))
                position = match.end() - 1
                break
        position += 1
    return found


def test_words_of_a_caption():
    caption = "The man's T-shirt (black-and-white), 3/4 sleeves…"
    words = split_words(caption)
    assert [word.key for word in words] == [
        'the', "man's", 't-shirt', '(', 'black-and-white', ')', ',', '3', '/', '4', 'sleeves', '…']
    assert all(caption[w.start:w.end].lower() == w.key for w in words)
    assert [w.key for w in words if w.is_punctuation] == ['(', ')', ',', '/', '…']


@pytest.mark.parametrize('caption', ['', '   ', '\n'])
def test_nothing_in_an_empty_caption(caption):
    assert split_words(caption) == find_phrases(caption) == []


def test_spans_survive_letters_that_grow_in_lower_case():
    caption = 'İİ in a red shirt'  # lower-casing gives this letter a second code point
    word = split_words(caption)[-1]
    assert caption[word.start:word.end] == 'shirt'


@pytest.mark.parametrize(('caption', 'keys'), [
    ('A Tank  Top', ['tank top']),
    ('denim jacket and jeans', ['denim jacket', 'jeans']),
    ('navy blue', ['navy blue']),
    ('a mirror image', ['mirror image']),
    ('tank, top', ['tank', 'top']),
    ('man-made', []),
    ("man's", []),
])
def test_longest_phrase_wins(caption, keys):
    assert [phrase.key for phrase in find_phrases(caption)] == keys


def test_equals_the_slow_search():
    rng = random.Random(0)
    vocabulary = [*sorted(KNOWN), *'the a blue-ish sitting, in . street-light'.split()]
    for _ in range(60):
        caption = ' '.join(rng.choice(vocabulary) for _ in range(rng.randint(1, 8)))
        caption = caption.capitalize() if rng.random() < 0.5 else caption
        assert [tuple(p) for p in find_phrases(caption)] == slow_find_phrases(caption), caption


def test_index_prefers_the_longest_phrase_that_is_there():
    index = PhraseIndex(['a', 'a b c'])
    assert index.longest_at(split_words('a b c'), 0) == (3, 'a b c')
    assert index.longest_at(split_words('a b d'), 0) == (1, 'a')
    assert index.longest_at(split_words('a b'), 0) == (1, 'a')
    assert index.longest_at(split_words('b'), 0) is None
