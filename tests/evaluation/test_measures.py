"""Measures of ranks against numbers worked out by hand, the random baseline against all orders."""

from itertools import permutations

import numpy as np
import pytest
import torch

import mmtbps.evaluation
from mmtbps.evaluation import random_ranks
from mmtbps.evaluation.measures import (
    average_precision,
    inverse_negative_penalty,
    recall_at,
    trapezoid_average_precision,
)

INF = torch.inf


def value(measure, *ranks):
    return measure(torch.tensor([ranks], dtype=torch.float64)).item()


@pytest.mark.parametrize('ranks, expected', [
    ((1,), 1), ((4,), 1 / 4), ((1, 2, 3), 1),
    ((1, 3, 6), (1 + 2 / 3 + 3 / 6) / 3), ((2, INF), 1 / 2), ((1, 4, INF, INF), (1 + 2 / 4) / 2)])
def test_average_precision(ranks, expected):
    assert value(average_precision, *ranks) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize('ranks, expected', [
    ((1,), (1 + 1) / 2),  # before the best place the precision is 1
    ((4,), (0 + 1 / 4) / 2),  # three misses came before: the old precision is 0
    ((1, 2, 3), 1),
    ((1, 3, 6), ((1 + 1) + (1 / 2 + 2 / 3) + (2 / 5 + 3 / 6)) / 6),
    ((2, 3, INF), ((0 + 1 / 2) + (1 / 2 + 2 / 3)) / 4)])
def test_trapezoid_average_precision(ranks, expected):
    assert value(trapezoid_average_precision, *ranks) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize('ranks, expected', [
    ((1,), 1), ((5,), 1 / 5), ((1, 3, 6), 3 / 6), ((2, 8, INF), 2 / 8)])
def test_inverse_negative_penalty(ranks, expected):
    assert value(inverse_negative_penalty, *ranks) == pytest.approx(expected, abs=1e-12)


def test_recall_at():
    ranks = torch.tensor([[1.0, 9.0], [5.0, INF], [6.0, 7.0]]).double()
    assert recall_at(ranks, 1).tolist() == [1, 0, 0]
    assert recall_at(ranks, 5).tolist() == [1, 1, 0]
    assert recall_at(ranks, 6).tolist() == [1, 1, 1]


def test_trapezoid_is_never_above_standard():
    draw = torch.Generator().manual_seed(0)
    for positives in range(1, 8):
        ranks = torch.stack([torch.randperm(30, generator=draw)[:positives] + 1
                             for _ in range(50)]).double().sort(1).values
        assert (trapezoid_average_precision(ranks) <= average_precision(ranks) + 1e-12).all()


def test_a_random_ranking_scores_the_share_of_all_orders():
    gallery, queries = [0, 0, 1, 2, 3], [0, 1, 9]
    expected = {}
    for k in (1, 2, 3):
        hits = [any(gallery[i] == q for i in order[:k])
                for q in (0, 1) for order in permutations(range(5))]
        expected[f'R{k}'] = 100 * np.mean(hits)
    assert random_ranks(queries, gallery, (1, 2, 3)) == pytest.approx(expected)


def test_k_beyond_the_gallery_and_nothing_to_find():
    assert random_ranks([0], [0, 1], (10,)) == {'R10': 100.0}
    with pytest.raises(ValueError, match='positive'):
        random_ranks([5], [0, 1])


def test_the_former_name_of_the_random_baseline_warns():
    with pytest.warns(DeprecationWarning, match='is now random_ranks'):
        assert mmtbps.evaluation.chance_ranks is random_ranks
    with pytest.raises(AttributeError, match='no attribute'):
        mmtbps.evaluation.no_such_name  # noqa: B018
