"""Entries before a positive, against a count by hand, in each way of counting."""

import pytest
import torch

from mmtbps.evaluation import rank_accumulation
from mmtbps.evaluation.rank_accumulation import entries_before


def one_by_one(scores, wanted, places, present):
    return [[sum(other > score or (other == score and column < place)
                 for column, other in enumerate(row)) if real else 0
             for score, place, real in zip(*positives, strict=True)]
            for row, *positives in zip(scores.tolist(), wanted.tolist(), places.tolist(),
                                       present.tolist(), strict=True)]


def on_device(scores, wanted, places, present):
    return rank_accumulation._before_on_device(scores, wanted, places).masked_fill_(~present, 0)


@pytest.fixture(params=['counting', 'sorting', 'device', 'mixed'])
def count(request, monkeypatch):
    """The function, made to go one way; ``mixed`` sorts for rows of many positives."""
    monkeypatch.setattr(rank_accumulation, '_MANY',
                        dict(sorting=-1, mixed=3).get(request.param, 100))
    return on_device if request.param == 'device' else entries_before


@pytest.mark.parametrize('levels', [1, 2, 5, None], ids=lambda levels: f'{levels} levels')
def test_ties_gaps_and_positives_of_other_parts(count, levels):
    draw = torch.Generator().manual_seed(0)
    scores = torch.rand(30, 40, generator=draw)
    if levels:
        scores = (scores * levels).floor()
    scores[torch.rand(scores.shape, generator=draw) < .1] = -torch.inf
    places = torch.randint(-20, 60, (30, 6), generator=draw)
    wanted = scores.gather(1, places % 40)  # of another part, but equal to scores of this one
    present = torch.rand(30, 6, generator=draw) < .7
    present[0], present[1] = False, True
    expected = one_by_one(scores, wanted, places, present)
    assert count(scores, wanted, places, present).tolist() == expected
    assert max(map(max, expected)) > 20


def test_minus_infinity_is_last(count):
    scores = torch.tensor([[1, -torch.inf, .5, 1, 1], [0, 0, 0, 0, 0]])
    places = torch.tensor([[4, 2, 0], [3, 0, 0]])
    present = torch.tensor([[True, True, False], [True, True, False]])
    assert count(scores, scores.gather(1, places), places, present).tolist() == [
        [2, 3, 0], [3, 0, 0]]


def test_one_entry_before_at_and_behind_the_positive(count):
    scores, wanted = torch.full((1, 1), .5), torch.full((1, 3), .5)
    places, present = torch.tensor([[-1, 0, 1]]), torch.ones(1, 3, dtype=torch.bool)
    assert count(scores, wanted, places, present).tolist() == [[0, 0, 1]]
    assert count(scores, wanted - .1, places, present).tolist() == [[1, 1, 1]]
    assert count(scores, wanted + .1, places, present).tolist() == [[0, 0, 0]]
