"""Lengths of sentences that a calibration is of."""

import numpy as np
import pytest

from mmtbps.evaluation.presence.sentence_lengths import (
    count_words,
    describe_strange_length,
    usual_lengths,
)


@pytest.mark.parametrize(('sentence', 'count'), [
    ('', 0), ('red coat', 2), ("A man's dark-blue T-shirt, 2 bags.", 6), (' - , . ', 0),
    ('une veste à carreaux', 4), ('snake_case', 2), ('红色外套', 4), ('穿T恤的人，背包。', 7),
    ('赤いコート', 5), ('빨간 코트', 2)])
def test_words_are_counted(sentence, count):
    assert count_words(sentence) == count


def test_one_in_a_hundred_may_be_shorter_and_one_longer():
    counts = np.random.default_rng(0).integers(5, 60, 1001)
    low, high = usual_lengths([' '.join(['word'] * count) for count in counts])
    assert (counts < low).sum() <= 10 < (counts <= low).sum()
    assert (counts > high).sum() <= 10 < (counts >= high).sum()
    assert usual_lengths(['one two three']) == [3, 3]


@pytest.mark.parametrize(('count', 'strange'), [(2, True), (3, False), (5, False), (6, True)])
def test_both_ends_belong_to_the_usual_lengths(count, strange):
    said = describe_strange_length(' '.join(['word'] * count), [3, 5])
    assert bool(said) == strange
    assert said in ('', f'for sentences of 3 to 5 words, and this one has {count}')
    assert describe_strange_length('word', None) == ''


@pytest.mark.parametrize(('count', 'strange'), [(1, False), (3, True), (5, False), (9, True)])
def test_one_of_several_calibrations_is_enough(count, strange):
    said = describe_strange_length(' '.join(['word'] * count), [5, 8], [1, 2])
    assert said == ('for sentences of 5 to 8 words or 1 to 2 words, and this one has '
                    f'{count}' if strange else '')
    assert describe_strange_length('word', [5, 8], None) == ''


def test_a_long_sentence_without_spaces_is_no_short_one():
    sentence = '一个穿红色外套的男人，背着黑色的双肩包，穿着蓝色牛仔裤'
    assert describe_strange_length(sentence, [1, 14]).endswith('this one has 25')
    assert describe_strange_length(sentence, [1, 14], [15, 44]) == ''


def test_captions_of_one_length_are_of_one_number():
    said = describe_strange_length('red coat', usual_lengths(['one two three'] * 9))
    assert said == 'for sentences of 3 words, and this one has 2'
