"""Outcomes of attribute binding: against loops, at chance, with ties and bad scores."""

import numpy as np
import pytest

from mmtbps.errors import BadValue
from mmtbps.evaluation.binding import (
    BindingBenchmark,
    BindingItem,
    BindingPair,
    binding_table,
    pair_scores,
    score_binding,
    true_beats_negative,
)
from mmtbps.proportions import wilson_interval


def by_hand(square):
    """Winoground's scores of one pair, as its section 3 says them."""
    text = square[0][0] > square[0][1] and square[1][1] > square[1][0]
    image = square[0][0] > square[1][0] and square[1][1] > square[0][1]
    return text, image, text and image


def test_pairs_are_those_of_a_loop_and_chance_is_a_quarter_and_a_sixth():
    scores = np.random.default_rng(0).random((6000, 2, 2))
    found = pair_scores(scores)
    expected = np.array([by_hand(square) for square in scores])
    assert (np.stack(found, 1) == expected).all()
    assert np.abs(expected.mean(0) - [1 / 4, 1 / 4, 1 / 6]).max() < .02


def test_ties_tell_nothing_apart():
    assert not np.stack(pair_scores(np.zeros((3, 2, 2)))).any()
    # A scorer that sees no picture gets no pair: one caption is its favorite for both.
    blind = np.tile(np.random.default_rng(0).random((50, 1, 2)), (1, 2, 1))
    assert not np.stack(pair_scores(blind)).any()
    assert true_beats_negative(np.array([1., 1., 0.]), np.array([1., 0., 1.])).tolist() == [
        False, True, False]


@pytest.mark.parametrize('call, says', [
    (lambda: pair_scores(np.zeros((3, 2))), r'must be \(N, 2, 2\), got \(3, 2\)'),
    (lambda: pair_scores(np.full((1, 2, 2), np.nan)), 'not a finite number'),
    (lambda: true_beats_negative(np.zeros(2), np.zeros(3)), r'got \(2,\) and \(3,\)'),
    (lambda: true_beats_negative(np.array([np.inf]), np.zeros(1)), 'not a finite number')])
def test_wrong_scores_are_refused(call, says):
    with pytest.raises(BadValue, match=says):
        call()


def benchmark():
    items = [BindingItem(f'{k}.jpg', f'true {k}', f'wrong {k}', kind, group) for k, (kind, group) in
             enumerate([('permuted', 'permuted')] * 4 + [('given', 'accessory'),
                                                         ('taken', 'accessory')])]
    pairs = [BindingPair(('a', 'b'), ('x', 'y'), 'permuted')]
    return BindingBenchmark('mine', tuple(items), tuple(pairs))


def score(images, texts):
    known = {('a', 'x'): 2., ('a', 'y'): 1., ('b', 'x'): 0., ('b', 'y'): .5}
    good = {'true 0': 1., 'true 1': 1., 'true 2': 1., 'wrong 3': 1., 'true 4': 1.}
    return np.array([known.get((image, text), good.get(text, 0.))
                     for image, text in zip(images, texts, strict=True)])


def test_outcomes_are_counted_by_kind_and_group():
    outcome = score_binding(benchmark(), score)
    assert {kind: (one.right, one.total) for kind, one in outcome.kinds.items()} == dict(
        permuted=(3, 4), given=(1, 1), taken=(0, 1))
    assert {group: (one.right, one.total) for group, one in outcome.groups.items()} == dict(
        permuted=(3, 4), accessory=(1, 2))
    assert {name: one.share for name, one in outcome.pairs['permuted'].items()} == dict(
        text=1., image=0., group=0.)
    assert outcome.ties == 1 / 6
    low, high = wilson_interval(.75, 4)
    assert outcome.to_json()['kinds']['permuted'] == dict(share=.75, low=low, high=high, right=3,
                                                          total=4)


def test_the_table_says_which_lines_have_a_chance_of_half():
    outcome = score_binding(benchmark(), score)
    lines = binding_table(outcome, outcome).splitlines()
    assert '| permuted | 75.0 (30.1 - 95.4) | 75.0 (30.1 - 95.4) | 50.0 | 4 |' in lines
    assert '| accessory, all | 50.0 (9.5 - 90.5) | 50.0 (9.5 - 90.5) | 50.0 | 2 |' in lines
    assert '| given | 100.0 (20.7 - 100.0) | 100.0 (20.7 - 100.0) | | 1 |' in lines
    assert '| permuted: text | 100.0 (20.7 - 100.0) | 100.0 (20.7 - 100.0) | 25.0 | 1 |' in lines
    assert '| permuted: group | 0.0 (0.0 - 79.3) | 0.0 (0.0 - 79.3) | 16.7 | 1 |' in lines
