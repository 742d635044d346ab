"""Evidence of presence against loops over single scores."""

import math
from statistics import NormalDist

import numpy as np
import pytest

from mmtbps.evaluation.presence.evidence import (
    KNOWN_ENTRIES,
    SHARPNESS,
    gallery_moments,
    hit_evidence,
    margin,
    near_hits,
    neutral_scale,
    neutral_share,
    normal_tail,
    score_moments,
    stranger_moments,
    upper_quantile,
)

DRAW = np.random.default_rng(3)
GALLERY, QUERIES, BANK = (DRAW.normal(size=(rows, 5)) for rows in (17, 4, 6))


def test_moments_of_scores_need_no_score():
    mean, square = score_moments(QUERIES, *gallery_moments(GALLERY))
    for place, query in enumerate(QUERIES):
        scores = [sum(a * b for a, b in zip(query, row, strict=True)) for row in GALLERY]
        assert mean[place] == pytest.approx(sum(scores) / 17)
        assert square[place] == pytest.approx(sum(score ** 2 for score in scores) / 17)


def test_the_neutral_scale_is_that_of_all_scores():
    scores = [[float(sentence @ row) for row in GALLERY] for sentence in BANK]
    means = [sum(row) / 17 for row in scores]
    spread = sum(sum((x - mean) ** 2 for x in row) / 17
                 for row, mean in zip(scores, means, strict=True)) / 6
    found = neutral_scale(BANK, *gallery_moments(GALLERY))
    assert found == pytest.approx((sum(means) / 6, math.sqrt(spread)))


def test_a_small_gallery_leans_on_a_known_scale():
    moments = gallery_moments(GALLERY)
    own = neutral_scale(BANK, *moments)
    mean, deviation = neutral_scale(BANK, *moments, KNOWN_ENTRIES, (10., 2.))
    assert mean == pytest.approx((own[0] + 10) / 2)
    assert deviation ** 2 == pytest.approx((own[1] ** 2 + 4) / 2)
    assert neutral_scale(BANK, *moments, 10 ** 9, (10., 2.)) == pytest.approx(own, abs=1e-4)


@pytest.mark.parametrize('searched', [2000, 400])
def test_strangers_are_seen_through_what_was_left_out(searched):
    """Of a normal law the highest 40 of those that were searched are left out."""
    law, count = NormalDist(.3, .05), 2000
    everybody = np.array([law.inv_cdf((place + .5) / count) for place in range(count)])
    first = np.sort(everybody[::count // searched])[::-1][:40]
    mean, deviation = stranger_moments(everybody.mean(), (everybody ** 2).mean(), count, first,
                                       searched)
    assert mean == pytest.approx(.3, abs=2e-4) and deviation == pytest.approx(.05, abs=4e-4)
    rest = np.delete(everybody, np.searchsorted(everybody, first))
    assert abs(rest.std() - .05) > 5e-4  # what would come of just leaving them out


def test_a_person_in_the_gallery_does_not_widen_the_strangers():
    law = NormalDist(0, 1)
    strangers = np.array([law.inv_cdf((place + .5) / 200) for place in range(200)])
    found = []
    for scores in (strangers, np.append(strangers[1:], 15.)):
        first = np.sort(scores)[::-1][:10]
        found.append(float(stranger_moments(scores.mean(), (scores ** 2).mean(), 200, first)[1]))
    assert found == pytest.approx([1, 1], abs=.06)
    assert np.append(strangers[1:], 15.).std() > 1.4


def test_evidence_of_hits_one_by_one():
    scores, bank = DRAW.normal(.5, .1, (2, 3)), DRAW.normal(.4, .1, (2, 3, 6))
    scale, mean, deviation = (.4, .12), np.array([.3, .35]), np.array([.07, .08])
    found = hit_evidence(scores, neutral_share(bank, scale), mean, deviation, scale)
    for row in range(2):
        for column in range(3):
            sharp = [SHARPNESS * (x - .4) / .12 for x in (scores[row, column], *bank[row, column])]
            share = math.exp(sharp[0]) / sum(map(math.exp, sharp))
            assert found[row, column].tolist() == pytest.approx([
                (scores[row, column] - .4) / .12, math.log(share),
                (scores[row, column] - mean[row]) / deviation[row],
                (mean[row] - .4) / .12, math.log(deviation[row] / .12)])


def test_margins_and_near_hits():
    rows = np.array([[.9, .88, .5], [.7, .4, .4]])
    assert margin(rows) == pytest.approx([.02, .3])
    assert near_hits(rows, .05).tolist() == [2, 1]
    assert margin(rows[:, :1]).tolist() == [0, 0]


@pytest.mark.parametrize('share', [.5, .3, .01, 1e-4, 1e-8])
def test_normal_law_without_scipy(share):
    assert upper_quantile(share) == pytest.approx(-NormalDist().inv_cdf(share), abs=1e-7)
    assert normal_tail(upper_quantile(share)) == pytest.approx(share)
