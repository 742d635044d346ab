"""Parts of captions, against who fits them by what the people of the captions wear."""

from itertools import product

import numpy as np
import pytest

from mmtbps.errors import BadValue
from mmtbps.evaluation.presence.caption_parts import FITS, parts_of_captions

PEOPLE = [*product(('man', 'woman'), ('red', 'green', 'black'), ('blue', 'white'), (True, False))]
CAPTIONS = [f'A {who} in a {upper} coat and {lower} trousers'
            f'{" carries a backpack." if bag else "."}' for who, upper, lower, bag in PEOPLE]
IDS = np.arange(len(PEOPLE)) + 7


def wears(person, sentence):
    """Tell word by word if a sentence is true of a person; of these people all is known."""
    who, upper, lower, bag = person
    for before, word in zip(['', *sentence.split()], sentence.replace(',', '').split(),
                            strict=False):
        right = {'man': who == 'man', 'woman': who == 'woman', 'backpack': bag, 'bag': bag}
        if not right.get(word, True):
            return False
        color = upper if word == 'coat' else lower if word in ('trousers', 'pants') else before
        if before in ('red', 'green', 'black', 'blue', 'white') and before != color:
            return False
    return True


@pytest.mark.parametrize('seed', range(3))
def test_parts_fit_whoever_wears_what_they_say(seed):
    parts = parts_of_captions(CAPTIONS, IDS, np.repeat(IDS, 2), seed)
    assert len(parts.sentences) > 30 and parts.fits.shape == (len(parts.sentences), 48)
    assert 0 < (parts.fits == FITS).mean() < 1
    for sentence, owner, fits in zip(parts.sentences, parts.people, parts.fits, strict=True):
        truth = [wears(person, sentence) for person in PEOPLE for _ in range(2)]
        assert fits.tolist() == truth, sentence
        assert fits[np.repeat(IDS, 2) == owner].all()


def fits_of(captions, people, wanted):
    for seed in range(40):
        parts = parts_of_captions(captions, np.array(people), np.unique(people), seed)
        for sentence, fits in zip(parts.sentences, parts.fits.tolist(), strict=True):
            if sentence == wanted:
                return fits
    raise AssertionError(wanted)


def test_of_whom_captions_do_not_say_it_nobody_knows():
    said = ['A man in a red coat.', 'A man in a blue coat.', 'A man in black shoes.']
    assert fits_of(said, [0, 1, 2], 'red coat') == [1, 0, -1]
    # What one can do without is not there where no caption of the person speaks of it.
    said = ['A man with a backpack.', 'A man in a red coat.', 'A man.', 'He has a backpack.']
    assert fits_of(said, [0, 1, 2, 2], 'backpack') == [1, 0, 1]


def test_captions_that_disagree_rule_nothing_out():
    said = ['A man in a red coat.', 'A man in a blue coat.', 'A woman in a red coat.']
    assert fits_of(said, [0, 0, 1], 'red coat') == [1, 1]


def test_a_seed_takes_the_same_parts_and_another_others():
    first, same, other = (parts_of_captions(CAPTIONS, IDS, IDS, seed).sentences
                          for seed in (0, 0, 1))
    assert first == same != other


def test_captions_that_say_nothing_have_no_parts():
    with pytest.raises(BadValue, match='nothing is read in the captions that could be asked'):
        parts_of_captions(['Nothing.'], np.array([1]), np.array([1, 1]))


def test_of_somebody_without_a_caption_nothing_is_known():
    parts = parts_of_captions(['A man.', 'A woman.'], np.array([3, 1]), np.array([9, 1, 3, 2]))
    fits = dict(zip(parts.sentences, parts.fits.tolist(), strict=True))
    assert {tuple(fits[each]) for each in fits if 'wo' not in each} == {(-1, 0, 1, -1)}
    assert {tuple(fits[each]) for each in fits if 'wo' in each} == {(-1, 1, 0, -1)}
