"""Facts that a caption states and rules out, and sentences that say a part of it."""

import numpy as np
import pytest

from mmtbps.lexicon import read_sentence
from mmtbps.lexicon.partial_captions import partial_caption
from mmtbps.lexicon.stated_facts import (
    asked_facts,
    fact_number,
    image_facts,
    join_facts,
    small_facts,
    stated_facts,
)

CAPTION = ('The woman has on a maroon coat over a white shirt with a pair of light blue jeans. '
           'She carries a black backpack.')


def asked(phrase):
    return set(asked_facts(read_sentence(phrase).phrases[0]))


def relation(caption, sentence, complete=False):
    """Tell what a caption says of a phrase: true, false, or nothing."""
    facts, wanted = stated_facts(caption), asked(sentence)
    if wanted <= facts.true:
        return True
    false = facts.false | facts.unnamed if complete else facts.false
    return False if wanted & false else None


@pytest.mark.parametrize(('sentence', 'holds'), [
    ('a maroon coat', True), ('a red coat', True), ('a coat', True), ('a blue coat', False),
    ('a white shirt', True), ('a red shirt', False), ('a white coat', False),
    ('a white top', True), ('a green top', False), ('a hoodie', False), ('a bright red coat', None),
    ('blue jeans', True), ('light blue pants', True), ('navy pants', False), ('shorts', False),
    ('black jeans', False), ('a bag', True), ('a black bag', True), ('a rucksack', True),
    ('a suitcase', False), ('a red backpack', False), ('a handbag', False), ('a woman', True),
    ('a man', False), ('a lady', True), ('a beard', False), ('a hat', None), ('long hair', None),
    ('a striped shirt', None), ('white sneakers', None)])
def test_relation_of_a_phrase_to_a_caption(sentence, holds):
    assert relation(CAPTION, sentence) is holds


def test_one_thing_rules_out_other_types_of_its_place():
    assert relation('A man in a red shirt.', 'a coat') is False
    assert relation('A man in a red shirt under a coat.', 'a coat') is True
    assert relation('A man in a sleeveless shirt.', 'a tank top') is None
    assert relation('A man in a black sleeveless top.', 'a tank top') is None
    assert relation('A man in a hooded shirt.', 'a hoodie') is None
    assert relation('A man in a shirt.', 'a tank top') is False
    assert relation('A man in a tank top.', 'a shirt') is None


@pytest.mark.parametrize(('said', 'sentence'), [
    ('a windbreaker', 'a coat'), ('a leather jacket', 'a hoodie'), ('a parka', 'a jacket'),
    ('a denim skirt', 'a dress'), ('a puffer vest', 'a tank top'), ('a denim shirt', 'a sweater'),
    ('high heels', 'leather shoes'), ('a pullover', 'a shirt')])
def test_a_narrow_name_rules_out_no_more_than_a_wide_one(said, sentence):
    assert relation(f'A person in {said}.', sentence) is None


@pytest.mark.parametrize(('said', 'sentence', 'holds'), [
    ('a white plastic bag', 'a shopping bag', True), ('a white plastic bag', 'a backpack', False),
    ('a messenger bag', 'a crossbody bag', True), ('a messenger bag', 'a shoulder bag', None),
    ('a messenger bag', 'a shopping bag', None), ('a book bag', 'a rucksack', True),
    ('a black bag', 'a backpack', None), ('a black bag', 'a red bag', False),
    ('a hat', 'a baseball cap', None), ('a baseball cap', 'a cap', True),
    ('a red baseball cap', 'a red cap', True), ('a red baseball cap', 'a red hat', True),
    ('a red baseball cap', 'a blue cap', False), ('a cap', 'a baseball cap', None),
    ('sunglasses', 'glasses', True), ('dark sunglasses', 'eyeglasses', True),
    ('dark glasses', 'sunglasses', None), ('spectacles', 'sunglasses', None)])
def test_a_thing_is_asked_for_by_a_wider_name_and_not_by_a_narrower_one(said, sentence, holds):
    assert relation(f'A man with {said}.', sentence) is holds


@pytest.mark.parametrize(('worn', 'sentence', 'holds'), [
    ('blue short pants', 'shorts', True), ('blue short pants', 'pants', False),
    ('blue short pants', 'blue shorts', True), ('a white dress shirt', 'a white shirt', True),
    ('a white shirt', 'a dress shirt', None), ('denim shorts', 'shorts', True),
    ('a leather jacket', 'a jacket', True), ('a denim skirt', 'a skirt', True)])
def test_a_garment_of_two_words_is_what_the_second_says(worn, sentence, holds):
    assert relation(f'A woman in {worn}.', sentence) is holds


def test_silence_counts_as_absence_where_captions_are_complete():
    facts = stated_facts(CAPTION)
    assert {'a hat', 'a scarf', 'a beanie'} <= facts.unnamed
    assert 'a bag' not in facts.unnamed  # named, so nothing is left open
    assert 'a handbag' in facts.false and 'upper: striped' in facts.unnamed


@pytest.mark.parametrize(('caption', 'sentence', 'holds', 'if_complete'), [
    ('a red coat', 'a red coat', True, True), ('a red coat', 'a maroon coat', None, False),
    ('a red coat', 'a dark red coat', None, False), ('a blue shirt', 'a navy shirt', None, False),
    ('a grey shirt', 'a charcoal shirt', None, False), ('a grey shirt', 'a gray shirt', True, True),
    ('a red hat', 'a maroon hat', None, False),
    # A word of another shade may mean the same one.
    ('a navy coat', 'a cobalt coat', None, None),
    ('a dark green coat', 'an olive coat', None, None),
    # Of one thing at the place the color is not told, or has two.
    ('a coat over a red shirt', 'a maroon coat', None, None),
    ('a red and blue shirt', 'a maroon shirt', None, None),
    ('a maroon coat over a red shirt', 'a maroon coat', True, True)])
def test_who_says_a_basic_color_would_say_its_shade(caption, sentence, holds, if_complete):
    """Silence on the shade leaves it open, or counts as another one where captions are complete."""
    assert relation(caption, sentence) is holds
    assert relation(caption, sentence, complete=True) is if_complete


@pytest.mark.parametrize(('caption', 'sentence', 'holds'), [
    ('a burgundy coat', 'a maroon coat', True), ('a wine red coat', 'a dark red coat', True),
    ('an army green coat', 'an olive coat', True), ('an olive green hat', 'an olive hat', True),
    ('a charcoal shirt', 'a dark grey shirt', True), ('a baby blue hat', 'a sky blue hat', True),
    ('a fuchsia dress', 'a hot pink dress', True),
    ('a royal blue coat', 'a bright blue coat', True),
    ('a maroon-colored coat', 'a maroon coat', True), ('an ash grey hat', 'an ash gray hat', True),
    ('a grey coat', 'a grey-coloured coat', True),
    ('a light colored coat', 'a light-colored coat', True),
    ('a royal blue coat', 'a navy coat', None), ('a deep blue coat', 'a bright blue coat', None),
    ('a bright blue coat', 'a sky blue coat', None), ('a maroon coat', 'a bright red coat', None),
    # Light, of what is dark by its name.
    ('a light maroon coat', 'a maroon coat', None), ('a light navy coat', 'a navy coat', None),
    ('a light burgundy coat', 'a red coat', True)])
def test_words_of_one_shade_say_the_same(caption, sentence, holds):
    assert relation(caption, sentence) is holds


@pytest.mark.parametrize(('caption', 'sentence', 'if_complete'), [
    ('a white shirt', 'a beige shirt', False), ('a tan shirt', 'a white shirt', False),
    ('a blue hat', 'a purple hat', False), ('a dark purple hat', 'a blue hat', False),
    ('a royal blue coat', 'a navy coat', False), ('a navy coat', 'a bright blue coat', None),
    ('a neon green coat', 'a dark green coat', False), ('a light beige hat', 'a white hat', None),
    # What lies between two colors may be called by either.
    ('a cream shirt', 'a white shirt', None), ('an off-white shirt', 'a beige shirt', None),
    ('a cream shirt', 'a beige shirt', None), ('a cream-colored bag', 'a beige bag', None),
    ('cream shoes', 'beige shoes', None), ('beige shoes', 'cream shoes', None),
    ('a light cream bag', 'a light beige bag', None),
    ('dark cream pants', 'dark beige pants', None),
    ('dark cream pants', 'light beige pants', None),
    ('an indigo hat', 'a purple hat', None), ('a white and blue shirt', 'a beige shirt', None),
    ('a white shirt under a beige coat', 'a white coat', False),
    ('a teal hat', 'a blue hat', None), ('a turquoise hat', 'a green hat', None),
    ('a tan coat', 'a brown coat', None), ('a khaki coat', 'a green coat', None),
    ('a lilac hat', 'a pink hat', None), ('a coral shirt', 'an orange shirt', None),
    ('a fuchsia-colored hat', 'a purple hat', None), ('a mustard hat', 'a brown hat', None),
    ('a teal-green hat', 'a blue hat', None), ('a light brown hat', 'a beige hat', None),
    ('a light lavender hat', 'a blue hat', None)])
def test_who_says_a_color_would_not_say_one_that_looks_like_it(caption, sentence, if_complete):
    assert relation(caption, sentence) is None
    assert relation(caption, sentence, complete=True) is if_complete


@pytest.mark.parametrize(('caption', 'sentence'), [
    ('a teal hat', 'a teal hat'), ('a teal hat', 'a green hat'), ('a teal backpack', 'a teal bag'),
    ('a teal backpack', 'a green bag'), ('a tan coat', 'a beige coat')])
def test_what_lies_between_is_what_it_is_called_and_its_own_basic_color(caption, sentence):
    assert relation(caption, sentence) is True


@pytest.mark.parametrize(('caption', 'sentence'), [
    ('a red hat', 'a teal hat'), ('a green coat', 'a tan coat'), ('a teal hat', 'a red hat'),
    ('a tangerine hat', 'a brown hat'), ('a tan coat', 'a green coat'),
    ('a khaki coat', 'a blue coat'), ('a coral shirt', 'a green shirt'),
    ('a blue and teal hat', 'a red hat')])
def test_between_two_colors_the_others_are_ruled_out(caption, sentence):
    assert relation(caption, sentence) is False


@pytest.mark.parametrize(('denied', 'sentence', 'holds'), [
    ('no bag', 'a backpack', False), ('no backpack', 'a bag', None), ('no hat', 'a cap', False),
    ('no cap', 'a baseball cap', False), ('no baseball cap', 'a cap', None),
    ('no cap', 'a beanie', None), ('no cap', 'a hat', None),
    ('no glasses', 'sunglasses', False), ('no sunglasses', 'glasses', None),
    ('no bag', 'a red backpack', False), ('no red bag', 'a backpack', None),
    ('no backpack', 'a suitcase', None),
    ('no red hat', 'a hat', None), ('no red hat', 'a red hat', False),
    ('no red hat', 'a blue hat', None),
    ('no hat', 'a red hat', False), ('no maroon hat', 'a red hat', None),
    ('no red backpack', 'a backpack', None), ('no red backpack', 'a red backpack', False),
    ('no red backpack', 'a red handbag', None),
    ('no dark red backpack', 'a dark red handbag', None),
    ('no striped scarf', 'a scarf', None), ('no striped scarf', 'a striped scarf', False),
    ('no red striped scarf', 'a striped scarf', None),
    ('no large backpack', 'a backpack', None), ('no large red backpack', 'a red backpack', None),
    ('no grey beard', 'a beard', None), ('without a long beard', 'a beard', None),
    ('no beard', 'a beard', False), ('without a beard', 'a beard', False)])
def test_a_color_or_a_pattern_that_is_denied_leaves_others_open(denied, sentence, holds):
    assert relation(f'A man in a white shirt, {denied}.', sentence) is holds


def test_what_is_denied_is_false():
    facts = stated_facts('A man without a hat, in a shirt that is not red.')
    assert 'a hat' in facts.false and 'a shirt' not in facts.false


@pytest.mark.parametrize('caption', ['', 'Two men walk behind a woman.', 'An empty street.'])
def test_nothing_is_known_of_a_caption_that_describes_nobody(caption):
    facts = stated_facts(caption)
    assert not facts.true and not facts.false
    assert partial_caption(caption, np.random.default_rng(0)) is None


def test_tones_of_one_color_are_no_facts_of_each_other():
    assert relation('A man in navy pants.', 'light blue pants') is False
    assert relation('A man in navy pants.', 'blue pants') is True
    assert relation('A man in blue pants.', 'navy pants') is None
    assert relation('A man in turquoise pants.', 'blue pants') is True
    assert relation('A man in navy pants.', 'turquoise pants') is None


def test_no_two_of_many_facts_have_one_number():
    facts = stated_facts(CAPTION)
    every = facts.true | facts.false | facts.unnamed
    assert len({fact_number(fact) for fact in every}) == len(every) > 100


# ------------------------------------------------------------------ sentences
def test_captions_add_up():
    parts = [*map(stated_facts, ('A man in a red coat.', 'A man in a blue coat with a suitcase.'))]
    facts = join_facts(parts)
    assert facts.true == parts[0].true | parts[1].true
    assert facts.false == parts[0].false | parts[1].false
    assert facts.unnamed == parts[0].unnamed | parts[1].unnamed
    assert {'upper: red', 'upper: blue'} <= facts.true & facts.false  # they disagree


def known(fact, of):
    return True if fact in of.true else False if fact in of.false | of.unnamed else None


@pytest.mark.parametrize(('caption', 'other', 'fact', 'expected'), [
    ('A man.', 'A man with a suitcase.', 'a suitcase', True),
    ('A man.', 'A man.', 'a suitcase', False),
    ('A man with a suitcase.', 'A man.', 'a suitcase', True),
    ('A man without a bag.', 'A man with a suitcase.', 'a suitcase', None),
    ('A man with a suitcase.', 'A man without a bag.', 'a suitcase', True),
    ('A man in a shirt.', 'A man in a striped shirt.', 'upper: striped', True),
    ('A man in a red shirt.', 'A man in a striped shirt.', 'upper: striped', True),
    # Another colour of the same thing is a dispute, also one of another shade, or one that is near.
    ('A man in black shoes.', 'A man in white shoes.', 'shoes: white', None),
    ('A man in blue shoes.', 'A man in navy shoes.', 'shoes: dark blue', None),
    ('A man in white shoes.', 'A man in beige shoes.', 'shoes: beige', None),
    ('A man in white shoes.', 'A man in white shoes.', 'shoes: beige', False),
    ('A man in shoes.', 'A man in beige shoes.', 'shoes: beige', True),
    ('A man in a red hat.', 'A man in black shoes.', 'shoes: black', True),
    ('A man in a coat.', 'A man in a shirt.', 'a shirt', None),
    ('A man in a coat.', 'A man in a jacket.', 'a jacket', True),
    ('A man in shoes.', 'A man in striped shoes.', 'shoes: striped', True),
    # Of a thing that is disputed nothing is told.
    ('A man in black shorts.', 'A man in blue jeans.', 'jeans: blue', None),
    ('A man in black shorts.', 'A man in blue jeans.', 'pants: blue', None),
    ('A man in a shirt.', 'A woman in a red dress.', 'dress: red', None),
    ('A man without a hat.', 'A man in a red hat.', 'hat: red', None),
    ('A man without a backpack.', 'A man with a red backpack.', 'bag: red', None),
    ('A man in a coat.', 'A man in a red striped shirt.', 'upper: red', None),
    ('A person in a coat.', 'A woman.', 'a woman', True)])
def test_another_caption_of_an_image_tells_what_none_disputes(caption, other, fact, expected):
    one, two = image_facts([caption, other])
    assert known(fact, one) is expected
    # What a caption states itself stays true of it.
    assert stated_facts(caption).true <= one.true and stated_facts(other).true <= two.true
    assert not (one.true | two.true) & (one.false | one.unnamed)
    assert image_facts([other, caption]) == [two, one]


def test_of_no_captions_nothing_is_known():
    assert image_facts([]) == []
    assert join_facts([]) == (frozenset(), ) * 3


def test_a_caption_alone_is_known_by_its_own_facts():
    facts, = image_facts([CAPTION])
    assert facts == stated_facts(CAPTION)


@pytest.mark.parametrize(('phrase', 'small'), [
    ('a red backpack', {'a backpack'}), ('a rucksack', {'a backpack'}), ('sunglasses',
                                                                          {'a sunglasses'}),
    ('long blonde hair', {'hair: long'}), ('a beard', {'a beard'}), ('a bald head', {'hair: bald'}),
    ('a striped shirt', {'upper: striped'}), ('a bandana', {'a bandana'}),
    ('a gray scarf', {'a scarf'}),
    ('a red coat', set()), ('blue jeans', set()), ('a woman', set()), ('white sneakers', set())])
def test_what_is_small_is_told_from_clothes_and_colors(phrase, small):
    assert asked(phrase) & small_facts() == small


def test_a_partial_caption_is_true_of_its_caption_and_says_what_its_facts_say():
    rng, texts = np.random.default_rng(0), set()
    for text, facts in (partial_caption(CAPTION, rng) for _ in range(300)):
        assert facts <= stated_facts(CAPTION).true
        read = {fact for phrase in read_sentence(text).phrases for fact in asked_facts(phrase)}
        assert read == facts, text
        texts.add(text)
    assert {'woman', 'white shirt', 'a person with a black backpack'} <= texts
    assert any('bag' in text for text in texts)  # a wider name
    assert any('red coat' in text for text in texts)  # the basic color of maroon
    assert any('jeans' in text and 'blue' not in text for text in texts)  # no color
    assert max(map(len, (text.split() for text in texts))) <= 15


def test_pants_are_khakis_by_their_color_alone():
    rng = np.random.default_rng(0)
    found = {partial_caption('khaki pants.', rng) for _ in range(200)}
    assert {(one.text, tuple(sorted(one.facts))) for one in found
            if one.text in ('pants', 'beige pants', 'khaki pants')} == {
        ('pants', ('a pants', )), ('beige pants', ('a pants', 'lower: beige', 'pants: beige')),
        ('khaki pants', ('a khakis', 'khakis: beige', 'lower: beige', 'lower: khaki')),
        ('khaki pants', ('a pants', 'lower: beige', 'lower: khaki', 'pants: beige'))}  # wider


def test_half_of_the_sentences_stand_among_words_that_say_nothing_of_what_they_ask():
    caption = 'A man walks quickly in a red coat without a hat. He isn\'t wearing a scarf today.'
    rng, found = np.random.default_rng(0), []
    for text, facts in (partial_caption(caption, rng, among_others=.5) for _ in range(400)):
        assert {fact for phrase in read_sentence(text).phrases
                for fact in asked_facts(phrase)} <= facts, text
        found.append([word for word in text.split() if word in {
            'walks', 'quickly', 'he', 'today', 'hat', 'scarf', 'without', "isn't"}])
    assert sum(map(bool, found)) == pytest.approx(200, abs=60)
    assert set().union(*found) == {'walks', 'quickly', 'today'}
    assert max(map(len, found)) > 3
    assert {partial_caption('red coat', rng, 1.).text.split()[-1] for _ in range(20)} == {'coat'}


def test_parts_say_one_two_or_three_things_equally_often():
    rng = np.random.default_rng(0)
    counts = np.bincount([len(read_sentence(partial_caption(CAPTION, rng).text).phrases)
                          for _ in range(900)])
    assert counts[0] == 0 and counts[1:].tolist() == pytest.approx([300, 300, 300], abs=60)


def test_what_is_carried_is_asked_four_times_as_often_as_what_is_worn(monkeypatch):
    monkeypatch.setattr('mmtbps.lexicon.partial_captions._MOST_THINGS', 1)
    rng = np.random.default_rng(0)
    facts = [partial_caption(CAPTION, rng, seldom_said=4.).facts for _ in range(800)]
    carried = sum('a bag' in of or 'a backpack' in of for of in facts)
    assert carried == pytest.approx(800 * 4 / 8, abs=60)  # beside woman, coat, shirt and jeans
    assert sum('a coat' in of for of in facts) == pytest.approx(100, abs=40)


def test_one_seed_is_one_sentence():
    first, again, other = (
        [partial_caption(CAPTION, np.random.default_rng(seed)).text for seed in seeds]
        for seeds in ((1, 2, 3), (1, 2, 3), (4, 5, 6)))
    assert first == again != other
