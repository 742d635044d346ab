"""Bounds fitted on labels, the quality of marks, and what a denial leaves in the first places."""

import numpy as np
import pytest

from mmtbps.errors import BadValue
from mmtbps.evaluation.feedback import simulate_visits
from mmtbps.evaluation.phrase_marks import fit_bounds, rate_marks, share_lacking


@pytest.mark.parametrize('error', [.05, .1, .3])
@pytest.mark.parametrize('apart', [.2, 1., 6.])
def test_bounds_keep_the_shares_of_errors(apart, error):
    draw = np.random.default_rng(0)
    holds = draw.random(400) < .3
    margins = draw.normal(size=400) + apart * holds
    low, high = fit_bounds(margins, holds, error)
    missed = np.mean([margin <= low for margin in margins[holds]])
    invented = np.mean([margin >= high for margin in margins[~holds]])
    assert low <= high
    if low < high:
        assert missed <= error * 1.05 and invented <= error * 1.05
        assert missed > error - .03 and invented > error - .03  # no wider than need be
    else:
        best = max((np.mean(margins[holds] >= cut) + np.mean(margins[~holds] < cut)) / 2
                   for cut in np.linspace(margins.min(), margins.max(), 2001))
        found = (np.mean(margins[holds] >= low) + np.mean(margins[~holds] < low)) / 2
        assert found >= best - .01


def test_few_pictures_give_no_error_at_all():
    low, high = fit_bounds(np.array([1., 3., 2., 4.]), np.array([False, False, True, True]), .1)
    assert low < 2. and high > 3.


@pytest.mark.parametrize(('holds', 'error', 'message'), [
    ([True, True], .1, 'there are 2 and 0'), ([False, False], .1, 'there are 0 and 2'),
    ([True, False], .5, 'below 0.5'), ([True, False], 0, 'above 0')])
def test_bounds_need_both_kinds(holds, error, message):
    with pytest.raises(BadValue, match=message):
        fit_bounds(np.zeros(2), holds, error)


def test_unsure_marks_are_left_out_and_counted():
    marks = ['yes', 'no', 'no', 'unsure', 'yes', 'no', 'no', 'unsure']
    holds = [True, True, True, True, False, False, False, False]
    quality = rate_marks(marks, holds)
    assert quality.balanced_accuracy == pytest.approx((1 / 3 + 2 / 3) / 2)
    assert quality.decided == .75 and quality.positives == 4
    assert np.isnan(rate_marks(['yes', 'unsure'], [True, False]).balanced_accuracy)


def test_share_lacking_counts_the_first_places():
    assert share_lacking([True, False, False, True, True], 2) == dict(first=.5, base=.4)


def test_a_visit_marks_what_it_is_shown_and_never_the_target():
    draw = np.random.default_rng(2)
    images = draw.normal(size=(30, 5)).astype(np.float32)
    images /= np.linalg.norm(images, axis=1, keepdims=True)
    targets, looks = np.arange(30) == 7, draw.random(30) < .4
    calls = []

    def move(query, right, wrong):
        calls.append((right, wrong))
        return images[7]

    visit, = simulate_visits(images[3:4], images, targets[None], lambda number: looks, move,
                             rounds=2, shown=4)
    scores = [float(row @ images[3]) for row in images]
    order = sorted((i for i in range(30) if i != 7), key=lambda i: -scores[i])
    first = order[:4]
    assert visit.ranks[0] == 1 + sum(score > scores[7] for score in scores)
    again = sorted((i for i in range(30) if i != 7 and i not in first),
                   key=lambda i: -float(images[i] @ images[7]))
    marked = [first, [*first, *again[:4]]]
    for (right, wrong), seen in zip(calls, marked, strict=True):
        assert {tuple(row) for row in right} == {tuple(images[i]) for i in seen if looks[i]}
        assert {tuple(row) for row in wrong} == {tuple(images[i]) for i in seen if not looks[i]}
    assert visit.ranks[1:] == (1, 1)
    assert visit.unmoved[1:] == tuple(
        1 + sum(scores[i] > scores[7] for i in range(30) if i not in seen) for seen in marked)
