"""Measures of ranks, against numbers worked out by hand."""

import pytest
import torch

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
