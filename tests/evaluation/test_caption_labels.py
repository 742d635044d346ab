"""Labels of phrases out of captions: said, contradicted, left open."""

import numpy as np
import pytest

from mmtbps.evaluation.caption_labels import label_phrases

#: Pictures and their captions.
SAID = [
    ['A man in a red coat with a backpack.', 'He has short hair.'],
    ['A woman in a blue coat.', 'She carries a backpack and has long hair.'],
    ['A woman in a red coat, no backpack.'],
    ['A man in a dark blue coat and a red and white striped shirt.'],
    ['People walk by.'],
    ['A man in a red coat.', 'A man in a green coat.'],
]


@pytest.fixture(scope='module')
def labels():
    captions = [caption for group in SAID for caption in group]
    owners = np.array([place for place, group in enumerate(SAID) for _ in group])
    return {str(one.phrase): dict(zip(one.places.tolist(), one.holds.tolist(), strict=True))
            for one in label_phrases(captions, owners, len(SAID), least=1)}


@pytest.mark.parametrize('phrase, expected', [
    # 3: another blue is another colour than red; 4 says nothing; 5 says both red and green.
    ('red coat', {0: True, 1: False, 2: True, 3: False, 5: True}),
    ('blue coat', {0: False, 1: True, 2: False, 3: True, 5: False}),
    ('man', {0: True, 1: False, 2: False, 3: True, 5: True}),
    ('woman', {0: False, 1: True, 2: True, 3: False, 5: False}),
    # Who has long hair has no short hair; of the others no caption speaks.
    ('short hair', {0: True, 1: False}),
    # A bag that no caption speaks of is not there; of 4 no phrase was read at all.
    ('backpack', {0: True, 1: True, 2: False, 3: False, 5: False})])
def test_what_captions_say_and_contradict(labels, phrase, expected):
    assert labels[phrase] == expected


def test_a_phrase_of_few_pictures_is_left_out(labels):
    captions = [caption for group in SAID for caption in group]
    owners = np.array([place for place, group in enumerate(SAID) for _ in group])
    kept = {str(one.phrase) for one in label_phrases(captions, owners, len(SAID), least=2)}
    assert kept == {'red coat', 'blue coat', 'man', 'woman', 'backpack', 'bag'} < set(labels)


def test_no_captions_give_no_labels():
    assert label_phrases([], np.zeros(0, int), 3) == []


BAGS = [
    ['A man with a black backpack.', 'He walks to the left.'],
    ['A woman with a bag.'],
    ['A woman pulls a suitcase.'],
    ['A man in a red coat.'],
    ['A man in a red coat.', 'A man without a bag.'],
    ['A man with a red backpack.', 'A man without a backpack.'],
    ['A man with a blue backpack.', 'He pulls a suitcase.'],
    ['A man with a bag.', 'A man without a bag.'],
    ['A man with an umbrella, without a large backpack.'],
]


@pytest.mark.parametrize(('phrase', 'expected'), [
    # 5 says no more than that it is no backpack; 7: captions that disagree.
    ('bag', {0: True, 1: True, 2: True, 3: False, 4: False, 5: True, 6: True, 8: False}),
    # Who carries "a bag" may carry a backpack; a suitcase is none. No large one leaves it open.
    ('backpack', {0: True, 2: False, 3: False, 4: False, 6: True, 8: False}),
    ('suitcase', {0: False, 2: True, 3: False, 4: False, 5: False, 6: True, 8: False}),
    ('umbrella', {place: place == 8 for place in range(9)}),
    ('red backpack', {0: False, 2: False, 3: False, 4: False, 5: True, 6: False, 8: False})])
def test_a_backpack_is_a_bag_and_no_suitcase(phrase, expected):
    captions = [caption for group in BAGS for caption in group]
    owners = np.array([place for place, group in enumerate(BAGS) for _ in group])
    labels = {str(one.phrase): dict(zip(one.places.tolist(), one.holds.tolist(), strict=True))
              for one in label_phrases(captions, owners, len(BAGS), least=1)}
    assert labels[phrase] == expected
