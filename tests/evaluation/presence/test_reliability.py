"""Measures of probabilities against slow counts, with ties."""

import numpy as np
import pytest

from mmtbps.errors import BadValue
from mmtbps.evaluation.presence.reliability import (
    area_under_curve,
    brier_score,
    brier_skill,
    calibration_error,
    false_positive_rate,
    identification_rate,
    reliability_bins,
)

DRAW = np.random.default_rng(1)
SCORES = DRAW.integers(0, 21, 120) / 20  # many ties, 0 and 1 among them
TRUTH = DRAW.random(120) < .3 + .4 * SCORES
CORRECT = TRUTH & (DRAW.random(120) < .7)


def test_brier_score_and_skill():
    total = sum((float(p) - bool(t)) ** 2 for p, t in zip(SCORES, TRUTH, strict=True))
    assert brier_score(SCORES, TRUTH) == pytest.approx(total / 120)
    rate = sum(TRUTH) / 120
    base = sum((rate - bool(t)) ** 2 for t in TRUTH)
    assert brier_skill(SCORES, TRUTH) == pytest.approx(1 - total / base)
    assert brier_skill(np.full(120, rate), TRUTH) == pytest.approx(0, abs=1e-12)


def test_calibration_error_by_bins():
    error = 0
    for low in range(10):
        inside = [(p, t) for p, t in zip(SCORES.tolist(), TRUTH.tolist(), strict=True)
                  if int(p * 10) == low or low == 9 and p == 1]
        error += abs(sum(p for p, _ in inside) - sum(t for _, t in inside)) / 120
    assert calibration_error(SCORES, TRUTH) == pytest.approx(error)
    assert sum(each.count for each in reliability_bins(SCORES, TRUTH)) == 120
    # To say the base rate each time has no calibration error: so the skill stands beside it.
    assert calibration_error(np.full(120, TRUTH.mean()), TRUTH) == pytest.approx(0, abs=1e-12)


def test_area_under_curve_by_pairs():
    pairs = [1. if a > b else .5 * (a == b) for a in SCORES[TRUTH] for b in SCORES[~TRUTH]]
    assert area_under_curve(SCORES, TRUTH) == pytest.approx(sum(pairs) / len(pairs))


@pytest.mark.parametrize('recall', [.5, .95, 1.])
def test_false_positives_by_all_thresholds(recall):
    passing = [np.mean(SCORES[~TRUTH] >= one) for one in SCORES
               if np.mean(SCORES[TRUTH] >= one) >= recall - 1e-12]
    assert false_positive_rate(SCORES, TRUTH, recall) == pytest.approx(min(passing))


@pytest.mark.parametrize('rate', [0., .01, .1, .5, 1.])
def test_identification_by_all_thresholds(rate):
    """The best share of any threshold with no more false alarms; an alarm is above it."""
    found = [np.mean((SCORES > one)[TRUTH] & CORRECT[TRUTH]) for one in [-1, *SCORES]
             if np.mean(SCORES[~TRUTH] > one) <= rate + 1e-12]
    assert identification_rate(SCORES, TRUTH, CORRECT, rate) == pytest.approx(max(found))


@pytest.mark.parametrize('measure, values, truth, said', [
    (brier_score, [.5, 1.2], [True, False], 'from 0 to 1'),
    (brier_score, [.5], [True, False], 'one value is needed for each'),
    (brier_score, [], [], 'one or more answers'),
    (area_under_curve, [np.nan, 1], [True, False], 'finite'),
    (area_under_curve, [.2, 1], [True, True], 'both people who are there'),
    (brier_skill, [.2, 1], [False, False], 'both people who are there'),
])
def test_what_cannot_be_measured(measure, values, truth, said):
    with pytest.raises(BadValue, match=said):
        measure(np.array(values), np.array(truth))
    with pytest.raises(BadValue, match='1 or more bins'):
        reliability_bins(SCORES, TRUTH, 0)
