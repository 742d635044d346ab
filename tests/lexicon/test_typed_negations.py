"""Tests of negations in all the ways that people type them: none is read as its contrary."""

import pytest

from mmtbps.lexicon import read_sentence
from mmtbps.lexicon.negation_scope import negation_depths
from mmtbps.lexicon.phrases import split_words
from mmtbps.lexicon.typed_negations import drop_contrasts, spell_negations


@pytest.mark.parametrize('query', [
    'man wo hat', 'man w/o hat', 'man w.o. hat', 'man w.o a hat', 'man w/out hat', 'man wout hat',
    'man witout hat', 'man withot a hat', 'man wihtout hat', 'man WITHOU hat', 'man withour hat',
    'man with out hat', 'man with zero hats', 'man with 0 hats', 'man sans hat', 'man minus hat',
    'man excluding hat', 'man with nary a hat', 'man devoid of hats', 'man free of hats',
    'man absent a hat', 'man missing his hat', 'man who took off his hat',
    'man who removed his hat', 'man who forgot his hat', 'man -hat', 'man !hat', 'man ¬hat',
    'non-hat man', 'no-hat man', 'hat-free man', 'hat free man', 'hatless man', 'hat-less man',
    'man, hat: no', 'man, hat: none', 'man, hat=no', 'man with hat removed', 'man, hat missing',
    'man, no: hat', 'man, NOT:hat', 'man, skip hats', 'man with a bare head',
    'man whose hat is missing', 'man whose hat was removed', "man who ain't got no hat",
    "man who doesn't have no hat", 'man who does not have no hat'])
def test_a_denied_hat_is_never_asked_for(query):
    reading = read_sentence(query)
    phrases = {(phrase.name, phrase.negated) for phrase in reading.phrases}
    assert phrases == {('hat', True), ('man', False)}
    assert 'hat' not in reading.affirmed.lower()


@pytest.mark.parametrize(('query', 'phrases'), [
    ('man not with no hat', ['man', 'hat']), ('not hatless, a man', ['hat', 'man']),
    ('no hat missing', ['hat']), ('shirt with a button missing', ['shirt']),
    ('wo man in red coat', ['man', 'red coat']), ('man within a red coat', ['man', 'red coat']),
    ('a bag withit, woohoo', ['bag']), ('red t-shirt', ['red t-shirt']),
    ('man in a size 10 coat', ['man', 'size 10 coat']),
    ('man -with a red coat- and a hat', ['man', 'red coat', 'hat']),
    ('red coat - black shoes', ['red coat', 'black shoes']),
    ('hands-free bag', ['hands-free bag'])])
def test_what_only_resembles_a_negation_denies_nothing(query, phrases):
    reading = read_sentence(query)
    assert [phrase.text for phrase in reading.phrases] == phrases
    assert not any(phrase.negated for phrase in reading.phrases) and reading.affirmed == query


@pytest.mark.parametrize(('query', 'phrases', 'affirmed'), [
    ('red not blue shirt', ['red shirt'], 'red shirt'),
    ('a red, not blue, shirt', ['red shirt'], 'a red shirt'),
    ('a dark red (not light blue) coat', ['dark red coat'], 'a dark red coat'),
    ('red but not blue shirt', ['red shirt'], 'red shirt'),
    ('the shirt is red, not blue', ['red shirt'], 'the shirt is red'),
    ('the shirt is red and not blue', ['red shirt'], 'the shirt is red'),
    ('the coat is red, not blue, and he has a hat', ['red coat', 'hat'],
     'the coat is red, and he has a hat'),
    ('shirt is red, not blue pants', ['red shirt', 'no blue pants'], 'shirt is red'),
    ('woman not man', ['woman'], 'woman'), ('a woman, not a man, in red', ['woman', 'red clothes'],
                                            'a woman in red'),
    ('not a man, a woman in red', ['no man', 'red clothes'], 'a woman in red'),
    ('shirt, not red', ['no red shirt'], ''), ('coat, not red hat', ['coat', 'no red hat'], 'coat'),
    ('man in a coat that is not red', ['man', 'no red coat'], 'man'),
    ("a coat which isn't red or blue, a hat", ['no red or blue coat', 'hat'], 'a hat'),
    ('the logo on his black shirt is not visible', ['black shirt'],
     'the logo on his black shirt is not visible'),
    ('hat=no coat=red', ['no hat', 'coat'], 'coat=red')])
def test_what_is_named_as_not_meant_is_heard_by_no_encoder(query, phrases, affirmed):
    reading = read_sentence(query)
    assert [str(phrase) for phrase in reading.phrases] == phrases
    assert reading.affirmed == affirmed and reading.doubt is None


@pytest.mark.parametrize(('query', 'denied'), [
    ('backpackless woman', 'backpack'), ('bag: none; black shoes', 'bag'),
    ('scarf-free, red coat', 'scarf'), ('glasses off, red shirt', 'glasses'),
    ('non-black coat', 'black coat'), ('non black coat, hat', 'black coat'), ('shirtless', 'shirt'),
    ('coatless man', 'coat'), ('barefoot woman', 'shoe'), ('unbearded, red hat', 'beard'),
    ('sunglasses-free lady', 'sunglasses'), ('bags: no', 'bags'), ('umbrellaless', 'umbrella')])
def test_each_thing_that_is_worn_or_carried_can_be_lacked(query, denied):
    reading = read_sentence(query)
    assert [phrase.text for phrase in reading.phrases if phrase.negated] == [denied]
    assert denied not in reading.affirmed and not reading.unread


@pytest.mark.parametrize('query', [
    'man w/o hat, who isnt in red', 'coat -hat', 'took off his hat', '0 bags', 'red, not blue, hat',
    'a woman not a man', 'ｎo T‑shirt', ''])
def test_every_word_keeps_its_place(query):
    assert len(spell_negations(query)) == len(drop_contrasts(query)) == len(query)
    for word in split_words(drop_contrasts(query)):
        assert query[word.start:word.end].lower() == word.key


@pytest.mark.parametrize(('query', 'phrases', 'affirmed'), [
    ('man in coat no black bag', ['man', 'coat', 'no black bag'], 'man in coat'),
    ('jeans not blue shirt', ['jeans', 'no blue shirt'], 'jeans'),
    ('hoodie -red cap', ['hoodie', 'no red cap'], 'hoodie'),
    ('her coat is not red without hat', ['no red coat', 'no hat'], ''),
    ('coat not red no hat', ['no red coat', 'no hat'], ''),
    ('hoodie -black -hat', ['hoodie', 'no hat'], 'hoodie -black'),
    ('no hat | red coat', ['no hat', 'red coat'], 'red coat'),
    ('man - no hat - red coat', ['man', 'no hat', 'red coat'], 'man - red coat'),
    ('(no tie) striped shirt', ['no tie', 'striped shirt'], 'striped shirt'),
    ('no hat / red coat', ['no hat'], 'red coat'), ('no bag/hat', ['no bag', 'no hat'], ''),
    ('hat: none shoes: black', ['no hat', 'shoes'], 'shoes: black'),
    ('Hat: No Shoes: Black', ['no Hat', 'Shoes'], 'Shoes: Black'),
    ('hat: not visible, red coat', ['no hat', 'red coat'], 'red coat'),
    ('hat: none\nred coat', ['no hat', 'red coat'], 'red coat'),
    ('bag none red coat', ['no bag', 'red coat'], 'red coat'),
    ('hat missing red coat', ['no hat', 'red coat'], 'red coat'),
    ('her hat is missing and black shoes', ['no hat', 'black shoes'], 'black shoes'),
    ('a man with his hat removed wears a coat', ['man', 'no hat', 'coat'], 'a man wears a coat'),
    ('took off jacket, wears white shirt', ['no jacket', 'white shirt'], 'wears white shirt'),
    ('glasses have been removed', ['no glasses'], ''), ('his bag has gone missing', ['no bag'], ''),
    ('no hat hoodie', ['no hat', 'hoodie'], 'hoodie'),
    ('no hat leather jacket', ['no hat', 'leather jacket'], 'leather jacket'),
    ('no tie dye shirt', ['no tie dye shirt'], ''), ('no bag and striped shirt', ['no bag'],
                                                     'striped shirt'),
    ('no hat plum coat', ['no hat', 'plum coat'], 'plum coat'),
    ('plum not black coat', ['plum coat'], 'plum coat'),
    ('tie-free dark blue pants', ['no tie', 'dark blue pants'], 'dark blue pants'),
    ('no-red coat', ['no red coat'], ''), ('not black, white coat', ['white coat'], 'white coat'),
    ('coat is not red but blue', ['blue coat'], 'coat is blue'),
    ('wears red, not blue, black shoes', ['red clothes', 'black shoes'], 'wears red, black shoes'),
    ('in red, not blue jeans', ['red clothes', 'no blue jeans'], 'in red'),
    ("coat isn't black, white shoes", ['no black coat', 'white shoes'], 'white shoes'),
    ('shoes not white and pants not black', ['no white shoes', 'no black pants'], ''),
    ('coat black, not white pants', ['coat', 'no white pants'], 'coat black'),
    ('man no longer wearing the coat', ['man', 'no coat'], 'man'),
    ('no jacket over white shirt', ['no jacket', 'white shirt'], 'over white shirt'),
    ('red coat [no hat] jeans', ['red coat', 'no hat', 'jeans'], 'red coat [] jeans'),
    ('a light\nblue dress with no\nbag', ['light blue dress', 'no bag'], 'a light blue dress'),
    ('- man\n- no hat\n- red coat', ['man', 'no hat', 'red coat'], 'man - red coat'),
    ('-hat -bag', ['no hat', 'no bag'], ''), ('a man in red, not a woman', [
        'man', 'red clothes'], 'a man in red'), ('a man, no lady, in red', ['man', 'red clothes'],
                                                'a man in red'),
    ('brown coat (not black) and jeans', ['brown coat', 'jeans'], 'brown coat and jeans')])
def test_a_denial_ends_where_something_else_begins(query, phrases, affirmed):
    reading = read_sentence(query)
    assert [str(phrase) for phrase in reading.phrases] == phrases
    assert reading.affirmed == affirmed


@pytest.mark.parametrize(('query', 'phrases'), [
    ('we lost the suspect in the red coat', ['red coat']), ('lost a man in red coat', [
        'man', 'red coat']), ('missing a girl with pink backpack', ['girl', 'pink backpack']),
    ('size 0 woman in black dress', ['woman', 'black dress']),
    ('player with number 0 wearing white shorts', ['white shorts']),
    ('coke zero shirt', ['coke zero shirt']), ('near the skip wearing a hat', ['hat']),
    ('sans serif logo shirt', ['sans serif logo shirt']), ('camera no 3, red coat', ['red coat']),
    ('a shirt that is missing a button carries a red bag', ['shirt', 'red bag']),
    ('man missing an arm in red coat', ['man', 'red coat']),
    ('man with no phone carrying a red bag', ['man', 'red bag']),
    ('the boy in the yellow shirt is missing', ['boy', 'yellow shirt']),
    ('man in black coat missing, please help', ['man', 'black coat']),
    ('a man with a red backpack is gone', ['man', 'red backpack']),
    ('red jersey no. 10, white shorts', ['red jersey', 'white shorts']),
    ('white jersey 0, black shorts', ['white jersey', 'black shorts']),
    ('a red t -shirt and blue jeans', ['shirt', 'blue jeans']),
    ('a short -sleeved shirt', ['sleeved shirt']), ('dark -blue jeans', ['dark -blue jeans']),
    ('red shirt -blue jeans -white shoes', ['red shirt', 'blue jeans', 'white shoes']),
    ('man, -red shirt, -blue jeans', ['man', 'red shirt', 'blue jeans']),
    ('jacket taken off and tied around his waist', ['jacket']),
    ('lost my black backpack', ['black backpack']), ('comic sans t-shirt', ['comic sans t-shirt']),
    ('a white shirt not tucked into black pants', ['white shirt', 'black pants']),
    ('a shirt not fully visible and jeans', ['shirt', 'jeans'])])
def test_nothing_worn_is_denied_by_what_else_is_lost(query, phrases):
    reading = read_sentence(query)
    assert [str(phrase) for phrase in reading.phrases] == phrases and reading.affirmed == query


@pytest.mark.parametrize('query', [
    'not the man in the red coat', 'a woman, not the man in red', 'exclude men with hats'])
def test_what_is_worn_by_who_is_not_meant_is_not_asked_for(query):
    reading = read_sentence(query)
    assert not reading.phrases and reading.doubt == 'somebody who is not meant'


def test_slang_counts_once_and_what_is_missing_is_denied():
    slang, gone = split_words("doesn't have no hat"), split_words('no hat missing')
    assert negation_depths(slang, [(3, 4)]) == [0, 1, 1, 1]
    assert negation_depths(gone, [(1, 2)]) == [0, 2, 1]
