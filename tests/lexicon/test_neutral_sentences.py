"""Neutral sentences: many, all different, and in other words than the drawn captions."""

from mmtbps.drawing.wording import NOUNS
from mmtbps.lexicon.neutral_sentences import NEUTRAL_SENTENCES, neutral_sentences
from mmtbps.lexicon.vocabulary import read_table


def test_they_are_the_same_each_time_and_none_comes_twice():
    first = neutral_sentences()
    assert len(set(first)) == len(first) == NEUTRAL_SENTENCES
    assert neutral_sentences(5) == first[:5]
    assert all(sentence[0].isupper() and sentence.endswith('.') and '{' not in sentence
               for sentence in first)


def test_clothes_and_colors_take_turns():
    table = read_table('neutral')
    for slot, words in table.items():
        if slot != 'frames':
            used = [sum(word in sentence.lower() for sentence in neutral_sentences(1000))
                    for word in words]
            assert min(used) > 0, slot


def test_the_wording_is_not_that_of_drawn_people():
    """Garments share plain nouns; whole phrases of persons do not."""
    drawn = {word for words in (NOUNS['man'], NOUNS['woman']) for each in words for word in each}
    assert not {phrase.split(' ', 1)[-1] for phrase in read_table('neutral')['who']} & (
        drawn - {'man', 'woman', 'girl'})
