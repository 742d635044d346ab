"""Easy data augmentation: each operation told by what it may change, its share, its seed."""

from collections import Counter

import numpy as np
import pytest

from mmtbps.datasets.transforms import EasyDataAugmentation, easy_augment
from mmtbps.lexicon import synonyms

CAPTION = ('The young WOMAN in long trousers, and a man near one person; '
           'stand on this street at night.')
WORDS = CAPTION.lower().replace(',', '').replace(';', '').replace('.', '').split()


def kind(new):
    """Name the operation that made a caption, by its words alone."""
    before, after = Counter(WORDS), Counter(new)
    lost, found = before - after, after - before
    if not lost and not found:
        return 'swap'
    if not found:
        return 'delete'
    source = lost or {word: 1 for word in WORDS}
    assert all(any(word in synonyms(old) for old in source) for word in found), (lost, found)
    return 'replace' if lost else 'insert'


def test_four_operations_change_a_share_of_the_words():
    found, places = Counter(), Counter()
    for seed in range(400):
        new = easy_augment(CAPTION, 0.2, np.random.default_rng(seed)).split()
        operation = kind(new)
        found[operation] += 1
        places[operation] += abs(len(new) - len(WORDS)) + (operation in ('swap', 'replace')) * sum(
            one != other for one, other in zip(new, WORDS, strict=False))
    assert all(0.15 < count / 400 < 0.35 for count in found.values()) and len(found) == 4
    assert len(WORDS) == 18
    assert places['insert'] == 3 * found['insert']  # int(0.2 * 18)
    assert 0.15 < places['delete'] / found['delete'] / 18 < 0.25
    assert 3 < places['swap'] / found['swap'] < 6 and 2 < places['replace'] / found['replace'] < 4


def test_one_word_at_least_is_changed_and_short_captions_stay():
    rng = np.random.default_rng(0)
    changed = [easy_augment('woman in red', 0.0, rng).split() for _ in range(100)]
    assert {tuple(words) for words in changed} > {('lady', 'in', 'red'), ('woman', 'in', 'red')}
    assert {len(words) for words in changed} == {3, 4}
    for text in ('woman', '', ' ... ', '女'):
        assert easy_augment(text, 0.5, rng) == text
    assert set(easy_augment('Étudiant à vélo', 0.1, rng).split()) <= {'étudiant', 'à', 'vélo'}


def test_the_seed_of_an_item_fixes_its_words():
    def texts(augment, seed):
        np.random.seed(seed)
        return [augment(dict(caption=CAPTION))['caption'] for _ in range(20)]

    always, half = EasyDataAugmentation(), EasyDataAugmentation(prob=0.5)
    assert texts(always, 3) == texts(always, 3) != texts(always, 4)
    assert 4 < texts(half, 0).count(CAPTION) < 16 and CAPTION not in texts(always, 0)
    tested = dict(captions=[CAPTION])
    assert always(dict(tested)) == tested


def test_bad_options_are_refused():
    for options in (dict(prob=2), dict(rate=-0.1)):
        with pytest.raises(ValueError, match=r'prob and rate must lie in \[0, 1\], got'):
            EasyDataAugmentation(**options)
    with pytest.raises(ValueError, match='a.jpg: the caption is tokenised already; put EasyData'):
        EasyDataAugmentation()(dict(caption='a', input_ids=[], img_path='a.jpg'))
