"""Readings of whole captions: people, doubts, shared colours, capitals and articles."""

import pytest

from mmtbps.lexicon import (
    article_edit,
    find_color_mentions,
    read_caption,
    split_words,
    with_case_of,
)
from mmtbps.lexicon.people import names_several_people
from mmtbps.lexicon.vocabulary import read_table


@pytest.mark.parametrize('caption', [
    'Two men walk.', 'A man walks behind a man.', 'A woman with her friend.', 'A man and a woman.',
    'A mother pushes a stroller.', 'The woman and child.', 'A man next to another person.',
    'A man in a coat. He looks at her.', "His brother's coat.", 'A man with a suspect.',
    'The woman holds her baby.', 'A man in white; officer in blue.', 'A girl with the other girl.',
])
def test_more_than_one_person(caption):
    assert names_several_people(split_words(caption))
    assert read_caption(caption).doubt == 'several people'


@pytest.mark.parametrize('caption', [
    'A man walks. The guy has a bag; he is a tall man.', 'A young male student.', '',
    'A woman pushes a baby stroller.', "A woman in men's pants.", 'She wears boyfriend jeans.',
    'A lady. The woman looks like a nurse.', 'A baby blue shirt on a woman.', 'A man. This person',
    'The man has a cap, man looks down.',
])
def test_one_person_at_most(caption):
    assert not names_several_people(split_words(caption))


@pytest.mark.parametrize('caption, doubt', [
    ('A mannequin in a coat.', 'a mannequin, a display or an animal'),
    ('His coat is of the same shade.', 'a comparison'), ('Pants that match.', 'a comparison'),
    ('Anyone but a man in red.', 'a comparison'), ('any color but red', 'a comparison'),
    ('any man but one in red', 'a comparison'),
    ('a man with any bag but a backpack', 'a comparison'),
    ('every person but the man', 'a comparison'), ('No one but a man in red.', 'a comparison'),
    ('The man stands away from everyone but his black backpack is visible.', None),
    ('She wears a white shirt, there is no one but her in the picture.', None),
    ('A man in any coat but no hat.', None),
    ('A shirt of red color but white shoes.', None),
    ('At the same time he has a half sleeve coat.', None), ('A half red coat.', 'a comparison'),
    ('A banana coloured coat.', 'an unknown color'), ('Shoes of peachish look.',
                                                      'an unknown color'),
    ('Dressed in eggplant.', 'an unknown color'), ('A rose-gold coat.', 'an unknown color'),
    ('Dressed in denim, walking in motion.', None), ('A brown-haired man.', None),
    ('The color of his coat is red.', None), ('The color of the sky.', 'an unknown color'),
    ('A blackpants man.', 'an unknown color'), ('A redcoated man.', None),
    ('A Red Sox cap.', 'a name'), ('A Red Coat On A Man.', None), ('A coat: Red.', None),
    ('Is it a red coat?', 'a question'),
])
def test_doubts_of_a_whole_caption(caption, doubt):
    assert read_caption(caption).doubt == doubt


@pytest.mark.parametrize('caption, doubts', [
    ('A man in a red coat.', [None]), ('He is not in a red coat.', ['negated']),
    ("It isn't a hat, a red coat or glasses.", ['negated'] * 3),
    ('No hat, but a red coat.', ['negated', None]),
    ('He holds a red coat in a blue shirt.', ['not worn', None]),
    ('A red coat over his left arm.', ['not worn']),
    ('A red coat over a blue shirt.', [None, None]), ('A coat tied around him.', ['not worn']),
    ('He stands next to a red dress in jeans.', ['not worn', None]),
    ('A blak coat and a striped long-sleeve shirt.', ['words that may be a color', None]),
    ('His coat is blak and his pants are ripped.', ['words that may be a color', None]),
    ('A coat in eggplant.', ['words that may be a color']), ('Khakis.', [
        'words that may be a color']),
    ('A red coat and pants.', ['a color that may be shared'] * 2),
    ('A red coat and a skirt.', [None, None]),
    ('A red coat and loose-fitting pants.', ['a color that may be shared'] * 2),
    ('A balck and white coat.', ['words that may be a color']),
    ('In profile and white pants.', [None]), ('A lily white coat.', ['words that may be a color']),
    ('A red with white coat.', ['words that may be a color']), ('A red and a white coat.', [None]),
    ('In red, a white coat.', [None]), ('A man in red with white pants.', [None]),
    ('His coat is red at the back.', ['only a part']), ('His coat is red on the man.', [None]),
    ('A cap that reads "red coat".', [None, 'written text']),
    ('The words red coat on a shirt.', ['written text', None]),
    ("The girl's 'red coat' and the boss' hat.", ['written text', None]),
    ('A red coat at his waist.', ['not worn']), ('A red coat at the door.', [None]),
])
def test_doubts_of_single_garments(caption, doubts):
    assert [garment.doubt for garment in read_caption(caption).garments] == doubts


@pytest.mark.parametrize('caption, shared', [
    ('A blue shirt and pants.', [['pants']]),
    ('Black pants, shoes and jacket.', [['shoes', 'jacket']]),
    ('A blue shirt, as well as baggy jeans.', [['baggy jeans']]),
    ('His shirt, pants and shoes are all black.', [['pants', 'shirt']]),
    ('A coat and hat in black.', [['coat']]),
    ('A blue shirt and knickers.', [['knickers']]),
    ('A blue shirt and jogging pants.', [['jogging pants']]),
    ('A blue shirt and a skirt, walking.', [[]]),
    ('A blue shirt and walks, his hat is red.', [[], []]),
    ('A blue shirt and long black pants.', [[], []]),
    ('A red shirt, shoes are white.', [[], []]),
    ('A red coat, bag in black.', [[], []]), ('Dressed in red, jeans.', [[]]),
])
def test_nouns_that_may_share_a_color(caption, shared):
    found = [[caption[slice(*span)] for span in m.shared] for m in find_color_mentions(caption)]
    assert found == shared


def test_she_dresses_in_red_is_no_dress():
    assert [m.noun for m in find_color_mentions('She dresses in red.')] == [None]
    assert [m.noun for m in find_color_mentions('Two dresses, in red.')] == [None]
    assert [m.noun for m in find_color_mentions('A dress in red.')] == ['dress']


@pytest.mark.parametrize('original, text, caption, expected', [
    ('red', 'orange', 'a red hat', 'orange'), ('Red', 'orange', 'Red hat', 'Orange'),
    ('RED', 'orange', 'a RED hat', 'ORANGE'), ('A', 'an', 'A RED hat', 'An'),
    ('A', 'an', 'A RED HAT', 'AN'), ('MAN', 'guy', 'A MAN', 'GUY'),
])
def test_capitals_are_those_of_the_text_before(original, text, caption, expected):
    assert with_case_of(original, text, caption) == expected


@pytest.mark.parametrize('caption, following, expected', [
    ('A red hat', 'orange', (0, 1, 'An')), ('A RED HAT', 'orange', (0, 1, 'AN')),
    ('on an "old" hat', 'red', (3, 5, 'a')), ('the red hat', 'orange', None),
    ('a red hat', 'blue', None), ('red hat', 'orange', None),
])
def test_the_article_agrees_with_what_follows(caption, following, expected):
    words = split_words(caption)
    place = next(i for i, word in enumerate(words) if word.key in ('red', 'old'))
    assert article_edit(caption, words, place, following) == expected


def test_the_words_of_the_readings_are_lower_case_and_single():
    def lists(entry):
        return [words for part in entry.values() for words in lists(part)] if isinstance(
            entry, dict) else [entry]

    for words in lists(read_table('reading')):
        assert len(words) == len(set(words)) and all(word == word.lower() for word in words)
