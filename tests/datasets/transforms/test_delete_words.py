"""Deleted words: shares, order, seeds, and a word that always stays."""

import re

import numpy as np
import pytest

from mmtbps.datasets.transforms import DeleteWords, delete_words
from mmtbps.errors import BadValue

CAPTION = ' '.join(f'word{i}' for i in range(200))


def run(prob, caption=CAPTION, seed=0):
    np.random.seed(seed)
    return DeleteWords(prob)(dict(caption=caption))['caption']


def test_each_word_goes_with_the_probability_in_order():
    words, stayed = CAPTION.split(), np.zeros(200)
    for seed in range(400):
        kept = [words.index(word) for word in run(0.05, seed=seed).split()]
        assert kept == sorted(set(kept))
        stayed[kept] += 1
    assert stayed.mean() / 400 == pytest.approx(0.95, abs=0.003)
    assert stayed.min() / 400 > 0.9 and stayed.max() < 400  # first and last are words like others


def test_one_word_stays_and_any_may():
    assert {run(1.0, 'a red coat', seed) for seed in range(40)} == {'a', 'red', 'coat'}
    assert run(1.0, 'coat') == 'coat' and run(1.0, '') == ''


def test_nothing_but_white_space_changes_without_deletion():
    assert run(0.0, 'A man,\n in  a coat.') == 'A man, in a coat.'


def test_the_seed_fixes_the_words_and_one_number_is_drawn():
    assert run(0.5, seed=3) == run(0.5, seed=3) != run(0.5, seed=4)
    run(0.1, 'a coat', seed=7)
    after = np.random.random()
    run(0.9, seed=7)
    assert np.random.random() == after
    assert delete_words(CAPTION, 0.5, np.random.default_rng(1)) == delete_words(
        CAPTION, 0.5, np.random.default_rng(1))


def test_a_test_item_passes_and_draws_nothing():
    np.random.seed(0)
    expected = np.random.random()
    np.random.seed(0)
    assert DeleteWords(1.0)(dict(captions=['a coat'])) == dict(captions=['a coat'])
    assert np.random.random() == expected


def test_mistakes_are_named():
    with pytest.raises(BadValue, match=re.escape('prob must lie in [0, 1], got -1')):
        DeleteWords(-1)
    with pytest.raises(BadValue, match='a.jpg: .*put DeleteWords before TokenizeCaption'):
        DeleteWords()(dict(img_path='a.jpg', caption='a coat', input_ids=[]))
