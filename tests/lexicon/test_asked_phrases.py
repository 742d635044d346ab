"""Queries read into phrases: what is found, what is negated, what is left unread."""

import pytest

from mmtbps.lexicon import opposites_of, read_sentence, word_phrase
from mmtbps.lexicon.negation_scope import DOUBTFUL, absence_end, negation_depths
from mmtbps.lexicon.phrases import split_words


@pytest.mark.parametrize(('sentence', 'phrases', 'unread'), [
    ('red coat', ['red coat'], ()),
    ('man with suitcase', ['man', 'suitcase'], ()),
    ('a person in red', ['red clothes'], ()),
    ('a woman in a red coat with a black backpack and long blonde hair',
     ['woman', 'red coat', 'black backpack', 'long blonde hair'], ()),
    ('a bald man with glasses and a striped shirt',
     ['bald head', 'man', 'glasses', 'striped shirt'], ()),
    ('red shirt with white stripes, blue jeans', ['red striped shirt', 'blue jeans'], ()),
    ('a man with brown hair tied back, hair in a bun',
     ['man', 'brown hair in a ponytail', 'hair in a bun'], ()),
    ('her hair is short and black', ['short black hair'], ()),
    ('a blonde woman in a kurta', ['blonde hair', 'woman'], ('kurta',)),
    ('a tall man walking away in dark clothes', ['man', 'dark clothes'],
     ('tall', 'walking away')),
    ('A lady in navy blue long sleeved dress holding an umbrella',
     ['lady', 'navy blue long sleeved dress', 'umbrella'], ()),
    ('a man holding a red coat', ['man'], ('red coat',)),
    ('a shirt that says "red coat"', ['shirt'], ('says', 'red coat')),
    ('two men in red coats', [], ('two men', 'red coats')),
    ('a group of men in red coats', [], ('group', 'men', 'red coats')),
    ('3 people in red coats', [], ('3', 'red coats')),
    ('men and women in red coats', [], ('men', 'women', 'red coats')),
    ('a man talks to someone in a red coat', [], ('talks', 'red coat')),
    ('someone in a red coat behind a man', [], ('red coat',)),
    ('someone in a red coat', ['red coat'], ()), ('Somebody in red', ['red clothes'], ()),
    ('show me all people with backpacks', ['backpacks'], ()),
    ('WOMEN in red coats', ['woman', 'red coats'], ()),
    ('kids in hats', ['hats'], ('kids',)), ('everyone in a red coat', ['red coat'], ()),
    ('a human in a red coat', ['red coat'], ()),
    ('blue shirt and pants', ['blue shirt', 'pants'], ()),
    ('a bearded guy with a moustache', ['beard', 'guy', 'moustache'], ())])
def test_a_query_is_read_into_phrases(sentence, phrases, unread):
    reading = read_sentence(sentence)
    assert [phrase.text for phrase in reading.phrases] == phrases
    assert reading.unread_words == unread
    assert not any(phrase.negated for phrase in reading.phrases)
    assert reading.affirmed == sentence
    for phrase in reading.phrases:
        assert 0 <= phrase.start < phrase.end <= len(sentence)


@pytest.mark.parametrize(('sentence', 'phrases', 'affirmed'), [
    ('a woman without a backpack', ['woman', 'no backpack'], 'a woman'),
    ('no hat', ['no hat'], ''),
    ('not wearing a red coat', ['no red coat'], ''),
    ('neither a bag nor a hat', ['no bag', 'no hat'], ''),
    ('without a hat or a bag', ['no hat', 'no bag'], ''),
    ('without hat and bag', ['no hat', 'no bag'], ''),
    ('no hat, bag or scarf', ['no hat', 'no bag', 'no scarf'], ''),
    ('a man with no hat wearing a red coat', ['man', 'no hat', 'red coat'],
     'a man wearing a red coat'),
    ("a man who isn't wearing a hat and carries a bag", ['man', 'no hat', 'bag'],
     'a man who carries a bag'),
    ('not without a hat', ['hat'], 'not without a hat'),
    ('not only a hat but also a bag', ['hat', 'bag'], 'not only a hat but also a bag'),
    ('a man with a beard but no moustache', ['man', 'beard', 'no moustache'],
     'a man with a beard'),
    ('a woman with neither glasses nor a bag, in a blue dress',
     ['woman', 'no glasses', 'no bag', 'blue dress'], 'a woman, in a blue dress'),
    ('her shirt is not red', ['no red shirt'], ''),
    ('her bag is not visible', ['no bag'], ''),
    ('he is not bald', ['no bald head'], ''),
    ('not a man', ['no man'], ''),
    ('a hatless man', ['no hat', 'man'], 'a man'),
    ('people without bags', ['no bags'], 'people'),
    ('women in red coats without hats', ['woman', 'red coats', 'no hats'], 'women in red coats'),
    ('a man carrying nothing', ['man', 'no bag'], 'a man'),
    ("a man who isn't carrying anything", ['man', 'no bag'], 'a man'),
    ('a man without anything in his hands', ['man', 'no bag'], 'a man'),
    ('a woman with nothing on her head, in a red coat', ['woman', 'no hat', 'red coat'],
     'a woman, in a red coat'),
    ('a woman who carries nothing in a red coat', ['woman', 'no bag', 'red coat'],
     'a woman in a red coat'),
    ('he is not empty-handed', ['bag'], 'he is not empty-handed'),
    ('a clean-shaven man with a black ponytail', ['no beard', 'man', 'black hair in a ponytail'],
     'a man with a black ponytail'),
    ('woman, without any bag, without glasses', ['woman', 'no bag', 'no glasses'], 'woman'),
    ('in a pink dress. She does not carry a bag. She has a hat.', ['pink dress', 'no bag', 'hat'],
     'in a pink dress. She has a hat.'),
    ('a shopping bag and a hat', ['shopping bag', 'hat'], 'a shopping bag and a hat'),
    ('a woman with a red shopping bag and a dress', ['woman', 'red shopping bag', 'dress'],
     'a woman with a red shopping bag and a dress'),
    ('a man with no hair and sunglasses', ['man', 'no hair', 'sunglasses'],
     'a man with sunglasses'),
    ('a person with hair in a bun and no glasses', ['hair in a bun', 'no glasses'],
     'a person with hair in a bun')])
def test_a_negation_reaches_its_objects_and_no_further(sentence, phrases, affirmed):
    reading = read_sentence(sentence)
    assert [str(phrase) for phrase in reading.phrases] == phrases
    assert reading.affirmed == affirmed


def test_what_a_negation_may_or_may_not_reach_is_unread():
    reading = read_sentence('without a hat and a red coat')
    assert [str(phrase) for phrase in reading.phrases] == ['no hat']
    assert reading.unread_words == ('red coat',) and reading.affirmed == 'a red coat'


def test_what_is_unread_keeps_its_negation():
    reading = read_sentence('a man without a kurta')
    assert reading.unread_words == ('without a kurta',)
    assert reading.affirmed == 'a man without a kurta'


@pytest.mark.parametrize(('sentence', 'nouns', 'depths'), [
    ('no hat but a bag', [(1, 2), (4, 5)], [0, 1, 0, 0, 0]),
    ('not without a hat', [(3, 4)], [0, 1, 2, 2]),
    ('without a hat and a bag', [(2, 3), (5, 6)], [0, 1, 1, DOUBTFUL, DOUBTFUL, DOUBTFUL]),
    ('a hat is not visible', [(1, 2)], [0, 1, 0, 0, 1]),
    ('no', [], [0])])
def test_depths_count_the_negations_of_each_word(sentence, nouns, depths):
    assert negation_depths(split_words(sentence), nouns) == depths


def test_absence_ends_behind_what_is_not_seen():
    words = split_words('her bag is not red')
    assert absence_end(words, 2) == 2
    assert absence_end(split_words("her bag isn't visible"), 2) == 4


@pytest.mark.parametrize(('sentence', 'some', 'not_there'), [
    ('navy blue coat', {'red coat', 'beige coat'}, {'blue coat'}),
    ('red and black plaid shirt', {'blue plaid shirt', 'red and black striped shirt'},
     {'black plaid shirt', 'red plaid shirt'}),
    ('dark pants', {'white pants'}, {'black pants'}),
    ('teal coat', {'red coat', 'purple coat'}, {'blue coat', 'green coat'}),
    ('khaki trousers', {'blue trousers'}, {'brown trousers', 'green trousers', 'beige trousers'}),
    ('light brown bag', {'black bag'}, {'beige bag', 'brown bag'}),
    ('jacket', {'t-shirt', 'dress'}, {'jacket', 'coat'}),
    ('boots', {'sneakers'}, {'boots'}),
    ('black backpack', {'red backpack', 'a person'}, {'black backpack'}),
    ('backpack', {'a person'}, {'backpack'}),
    ('blonde hair', {'black hair'}, {'blonde hair'}),
    ('bald', {'short hair', 'long hair'}, {'bald head'}),
    ('black leather shoes', {'white leather shoes', 'red leather shoes'}, {'leather white shoes'}),
    ('a girl', {'boy'}, {'girl'}),
    ('a businesswoman', {'man'}, {'woman'}),
    ('beard', {'a person'}, {'beard'})])
def test_opposites_are_the_other_answers(sentence, some, not_there):
    phrase, = read_sentence(sentence).phrases
    others = set(opposites_of(phrase))
    assert some <= others and not others & not_there


@pytest.mark.parametrize('sentence', ['a bright coat', 'shoes', 'clothes'])
def test_what_has_no_opposite_has_none(sentence):
    assert [opposites_of(phrase) for phrase in read_sentence(sentence).phrases] in ([()], [])


@pytest.mark.parametrize(('text', 'worded'), [
    ('umbrella', 'an umbrella'), ('glasses', 'glasses'), ('red dress', 'a red dress'),
    ('black hair in a bun', 'black hair in a bun'), ('man', 'a man'), ('luggage', 'luggage')])
def test_a_phrase_has_its_article(text, worded):
    assert word_phrase(text) == worded


@pytest.mark.parametrize('name', [
    'hand bag', 'book bag', 'messenger bag', 'cross-body bag', 'plastic bag', 'paper bag',
    'laptop bag', 'fanny pack', 'ball cap', 'wrist watch', 'turtle neck', 'wind breaker',
    'mini-skirt', 'high-heels', 'jump suit', 'bathing suit'])
def test_a_thing_of_two_words_keeps_its_color(name):
    phrase, = (each for each in read_sentence(f'She has a black {name}.').phrases if each.noun)
    assert phrase.color == 'black' and phrase.bases == ('black', )


@pytest.mark.parametrize(('said', 'text'), [
    ('khaki pants', 'khaki pants'), ('dark khaki trousers', 'dark khaki trousers'),
    ('black and khaki pants', 'black and khaki pants')])
def test_a_name_that_says_a_color_says_it_once(said, text):
    phrase, = read_sentence(f'in {said}').phrases
    assert phrase.text == text and phrase.color == text.rsplit(' ', 1)[0]


@pytest.mark.parametrize(('query', 'color', 'bases', 'text'), [
    ('a long rose dress', 'rose', ('pink',), 'long rose dress'),
    ('dark plum coat', 'dark plum', ('purple',), 'dark plum coat'),
    ('light salmon shoes', 'light salmon', ('pink',), 'light salmon shoes'),
    ('no Chocolate jacket', 'Chocolate', ('brown',), 'Chocolate jacket'),
    ('a rose print dress', '', (), 'rose print dress'), ('a wine bag', '', (), 'wine bag'),
    ('woman with eyewear', '', (), 'eyewear')])
def test_a_word_that_is_a_color_before_what_is_worn_is_read_as_one(query, color, bases, text):
    phrase = read_sentence(query).phrases[-1]
    assert (phrase.color, phrase.bases, phrase.text) == (color, bases, text)
