"""Queries as people type them: what they ask for, in the places where it is written."""

import random
import re
from itertools import pairwise

import pytest

from mmtbps.lexicon import read_sentence
from mmtbps.lexicon.typed_queries import spell_out

PIECES = ('woman', 'a man', 'people', 'someone', 'KIDS', 'no hat', 'w/o a bag', 'w/ red cap',
          'carrying nothing', "isn't wearing a coat", 'hatless', 'white shirt', 'black pants',
          'jeans', 'blonde hair', 'and', ',', 'with', 'or', 'in red', 'tall', 'kurta', 'not',
          'nothing in her hands', 'teal hoodie', 'isnt', 'backpack', '(', ')', 'no T‑shirt', '-')


@pytest.mark.parametrize(('query', 'phrases', 'unread'), [
    ('white shirt black pants', ['white shirt', 'black pants'], ()),
    ('red shirt blue pants white shoes', ['red shirt', 'blue pants', 'white shoes'], ()),
    ('man red cap black backpack', ['man', 'red cap', 'black backpack'], ()),
    ('red shirt jeans backpack', ['red shirt', 'jeans', 'backpack'], ()),
    ('woman blonde hair red coat', ['woman', 'blonde hair', 'red coat'], ()),
    ('white t-shirt man', ['white t-shirt', 'man'], ()),
    ('black hair, white shirt', ['black hair', 'white shirt'], ()),
    ('her hair is short and brown, red coat', ['short brown hair', 'red coat'], ()),
    ('dad in shorts', ['man', 'shorts'], ()), ('my son, red jacket', ['boy', 'red jacket'], ()),
    ("someone's red bag", ['red bag'], ()), ('women in mom jeans', ['woman', 'mom jeans'], ()),
    ('guy w/ red hoodie', ['guy', 'red hoodie'], ()),
    ('woman hat', ['woman', 'hat'], ()), ('men shoes', ['man', 'shoes'], ()),
    ('a tall man backpack', ['man', 'backpack'], ('tall',)),
    ('a man with a student backpack', ['man', 'student backpack'], ()),
    ('woman black and white dress', ['woman', 'black and white dress'], ()),
    ('red shirt dark jeans', ['red shirt', 'dark jeans'], ()),
    ('t-shirt denim shorts', ['t-shirt', 'denim shorts'], ()),
    ('woman ponytail pink shirt', ['woman', 'hair in a ponytail', 'pink shirt'], ()),
    ('red shirt tie', ['red shirt', 'tie'], ()), ('teen girls in red', ['girl', 'red clothes'],
                                                  ('teen',)),
    ('photo of people in red', ['red clothes'], ('photo',)),
    ('are there any people in red', ['red clothes'], ()),
    ('hair is black red coat', ['black hair', 'red coat'], ()),
    ('red\xa0shirt', ['red shirt'], ()), ('\u3000', [], ()),
    ('no logo black shirt', ['black shirt'], ('no logo',)),
    ('black dress without sleeves red shoes', ['black dress', 'red shoes'], ('without sleeves',)),
    ('not tall man red shirt', ['man', 'red shirt'], ('not tall',)),
    ('man carrying nothing on his back', ['man'], ('nothing on his back',)),
    ('nothing in his hands but a red bag', ['red bag'], ()),
    # One thing, for all its nouns and colors.
    ('high heel black boots', ['high heel black boots'], ()),
    ('polo red shirt', ['polo red shirt'], ()), ('suit black jacket', ['suit black jacket'], ()),
    ('shoe bag', ['shoe bag'], ()), ('cap sleeve shirt', ['cap sleeve shirt'], ()),
    ('a blonde woman in jeans', ['blonde hair', 'woman', 'jeans'], ()),
    ('black suit jacket', ['black suit jacket'], ()), ('jeans jacket', ['jeans jacket'], ()),
    ('a black dress shoe', ['black dress shoe'], ()), ('baby blue shirt', ['baby blue shirt'], ()),
    ('long sleeve black shirt', ['long sleeve black shirt'], ()),
    ('red and white striped shirt', ['red and white striped shirt'], ()),
    ('no logo on shirt', ['shirt'], ('no logo',)),
    ('woman not running in a red coat', ['woman', 'red coat'], ('not running',)),
    ('with or without a bag', [], ()), ('not carrying anything red', [], (
        'not carrying anything red',)),
    ('his friend in red', [], ('friend', 'red'))])
def test_things_that_only_spaces_keep_apart_are_told_apart(query, phrases, unread):
    reading = read_sentence(query)
    assert [str(phrase) for phrase in reading.phrases] == phrases
    assert reading.unread_words == unread and reading.affirmed == query


@pytest.mark.parametrize(('query', 'phrases', 'affirmed'), [
    ('woman no bag red coat', ['woman', 'no bag', 'red coat'], 'woman red coat'),
    ('MAN NO HAT RED SHIRT', ['MAN', 'no HAT', 'RED SHIRT'], 'MAN RED SHIRT'),
    ('MAN IN RED SHIRT AND NO HAT', ['MAN', 'RED SHIRT', 'no HAT'], 'MAN IN RED SHIRT'),
    ('no hat guy with red backpack', ['no hat', 'guy', 'red backpack'], 'guy with red backpack'),
    ('man w/ red hat w/o a bag', ['man', 'red hat', 'no bag'], 'man w/ red hat'),
    ('man w/ no hat', ['man', 'no hat'], 'man'),
    ('man isnt wearing a hat', ['man', 'no hat'], 'man'),
    ('he isn`t wearing a hat', ['no hat'], ''), ('no T‑shirt', ['no T-shirt'], ''),
    ('a man with no hat and blue jeans', ['man', 'no hat'], 'a man with blue jeans'),
    ('red coat without buttons and blue jeans', ['red coat', 'blue jeans'],
     'red coat without buttons and blue jeans'),
    ('man without a hat and carrying nothing', ['man', 'no hat', 'no bag'], 'man'),
    ('no glasses and clean-shaven', ['no glasses', 'no beard'], ''),
    ('she is carrying nothing in her hands', ['no bag'], ''),
    ('carrying nothing, no hat, red shirt', ['no bag', 'no hat', 'red shirt'], 'red shirt'),
    ('nothing on the head', ['no hat'], ''), ('guys not wearing hats', ['guy', 'no hats'], 'guys'),
    ('man with no bag and with a hat', ['man', 'no bag', 'hat'], 'man with a hat'),
    ('woman whose bag is not red', ['woman', 'no red bag'], 'woman'),
    ('man (no hat, no bag)', ['man', 'no hat', 'no bag'], 'man'),
    ('man with no logo shirt', ['man', 'no logo shirt'], 'man'),
    ('no hair man', ['no hair', 'man'], 'man'), ('not a man', ['no man'], ''),
    ('woman carrying nothing red coat blue jeans', ['woman', 'no bag', 'red coat', 'blue jeans'],
     'woman red coat blue jeans'),
    ('no bag on her shoulder black coat', ['no bag', 'black coat'], 'black coat'),
    ('doesnt carry a bag in his hand', ['no bag'], ''), ('man with out a hat', ['man', 'no hat'],
                                                         'man'),
    ('man w/o a hat and w/ a red bag', ['man', 'no hat', 'red bag'], 'man w/ a red bag'),
    ('no bags of any kind', ['no bags'], ''), ('no bag visible', ['no bag'], ''),
    ('people that are not in red', ['no red clothes'], 'people')])
def test_a_denial_is_read_as_it_is_typed_and_leaves_words_that_stand(query, phrases, affirmed):
    reading = read_sentence(query)
    assert [str(phrase) for phrase in reading.phrases] == phrases
    assert reading.affirmed == affirmed


@pytest.mark.parametrize('query', [
    'no red backpack', "can't see a hat", "hasn't got a hat", 'workers without helmets', 'no shoes',
    'every man without a hat', 'kids with no hats', 'nothing in his hands', 'her hat is not red'])
def test_who_only_denies_says_nothing_else(query):
    assert read_sentence(query).only_denies


@pytest.mark.parametrize('query', [
    'a tall man without a hat', 'red coat, no hat', 'a man with a hat', 'people', '',
    'not without a hat', 'two men without hats'])
def test_who_says_more_does_not_only_deny(query):
    assert not read_sentence(query).only_denies


def test_whatever_is_put_together_is_read_in_its_places():
    draw = random.Random(0)
    for _ in range(600):
        query = ' '.join(draw.choice(PIECES) for _ in range(draw.randint(1, 7)))
        spelled, reading = spell_out(query), read_sentence(query)
        assert len(spelled) == len(query) and spell_out(spelled) == spelled
        spans = sorted([*reading.unread, *((one.start, one.end) for one in reading.phrases)])
        assert all(0 <= start < end <= len(query) for start, end in spans), query
        assert all(first[1] <= second[0] for first, second in pairwise(spans)), (query, reading)
        for phrase in reading.phrases:
            assert phrase.text == ' '.join(phrase.text.split()), query
        if any(phrase.negated for phrase in reading.phrases):
            assert not reading.affirmed or re.search(r'\w', reading.affirmed), query
        assert _places(read_sentence(query.upper())) == _places(reading), query


def _places(reading):
    return [(phrase.start, phrase.end, phrase.kind, phrase.negated) for phrase in reading.phrases]
