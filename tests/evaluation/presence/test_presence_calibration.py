"""Calibrations in worlds whose right probability is known: at one size fitted, at others right."""

from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
from presence_worlds import right_probability, world, world_of_kinds

from mmtbps.errors import BadValue
from mmtbps.evaluation.presence import deal_trials, fit_calibration, shift_prior
from mmtbps.evaluation.presence.best_of import PowerLaw, StrangerLaw
from mmtbps.evaluation.presence.calibration import Curve, PresenceCalibration
from mmtbps.evaluation.presence.reliability import (
    area_under_curve,
    brier_skill,
    calibration_error,
    identification_rate,
)
from mmtbps.evaluation.presence.split_normal import SplitNormal

pytest.importorskip('sklearn')


@pytest.fixture(scope='module')
def fitted():
    return fit_calibration(world(200, seed=0))


@pytest.fixture(scope='module')
def others(fitted):
    data = world(1001, seed=5)
    return replace(data, bank=fitted.bank, scale=fitted.scale)


@pytest.mark.parametrize('size', [50, 200, 1000])
def test_fitted_at_200_people_it_is_right_at_others(fitted, others, size):
    trials = deal_trials(others, size, seed=3)
    said, _ = fitted.probabilities(trials.evidence, trials.size)
    right = np.array([right_probability(row, size) for row in trials.scores])
    assert np.abs(said - right).mean() < .05
    assert calibration_error(said, trials.present) < .05
    assert brier_skill(said, trials.present) > brier_skill(right, trials.present) - .04 > .1


@pytest.mark.parametrize('size', [15, 50])
def test_the_best_stranger_of_a_small_gallery_stands_where_its_law_says(size):
    """Moments of small galleries differ from those of all, if strangers are of a few kinds."""
    data = world_of_kinds(200, seed=0)
    fitted = fit_calibration(data)
    data = replace(data, bank=fitted.bank, scale=fitted.scale)
    trials = [deal_trials(data, size, .1, seed) for seed in range(20, 24)]
    best = np.concatenate([(one.evidence[~one.present] @ fitted.weights).max(1) for one in trials])
    entries = trials[0].size.mean()
    assert best.mean() == pytest.approx(fitted.strangers.mean(entries), abs=.1 * best.std())
    assert best.std() == pytest.approx(fitted.strangers.deviation(entries), rel=.15)


def test_a_calibration_that_forgets_the_size_is_wrong(fitted, others):
    """The check above can fail."""
    trials = deal_trials(others, 1000, seed=3)
    said, _ = fitted.probabilities(trials.evidence, 50)
    assert calibration_error(said, trials.present) > .1


@pytest.mark.parametrize('share', [.1, .9])
def test_it_can_be_told_how_many_are_there(fitted, others, share):
    trials = deal_trials(others, 200, share, seed=3)
    said, _ = fitted.probabilities(trials.evidence, trials.size, prior=share)
    assert calibration_error(said, trials.present) < .05 and brier_skill(said, trials.present) > 0
    untold, _ = fitted.probabilities(trials.evidence, trials.size)
    assert calibration_error(untold, trials.present) > .05


@pytest.mark.parametrize('size', [50, 1000])
def test_hits_have_probabilities_that_come_true(fitted, others, size):
    trials = deal_trials(others, size, seed=3)
    present, hits = fitted.probabilities(trials.evidence, trials.size)
    assert (hits <= present[:, None]).all()
    assert calibration_error(hits.ravel(), trials.matches.ravel()) < .02
    assert calibration_error(hits[:, 0], trials.matches[:, 0]) < .06
    assert area_under_curve(hits.ravel(), trials.matches.ravel()) > .9


def test_an_isotonic_last_step_is_right_too(others):
    fitted = fit_calibration(world(200, seed=0), 'isotonic')
    assert len(fitted.presence.knots) > 3
    trials = deal_trials(others, 1000, seed=3)
    said, _ = fitted.probabilities(trials.evidence, trials.size)
    assert calibration_error(said, trials.present) < .06


def test_the_formula_of_two_laws():
    """Hit and query by Bayes' rule, computed with densities of the standard library."""
    flat = PowerLaw(0., 0., 1.)
    law = StrangerLaw(replace(flat, limit=1.), replace(flat, limit=.5))
    calibration = PresenceCalibration(np.array([1., 0, 0, 0, 0]), SplitNormal(2., .8, .8), law,
                                      Curve(), (1., 0., 0.), np.eye(2), (0., 1.))
    evidence = np.zeros((1, 3, 5))
    evidence[0, :, 0] = places = [2.5, 1.2, .9]
    hits, query, listed = calibration.ratios(evidence, 40)
    match, best = NormalDist(2, .8), NormalDist(1, .5)
    expected = [match.pdf(x) * best.cdf(x) / best.pdf(x) for x in places]
    assert np.exp(hits[0]) == pytest.approx(expected, rel=2e-3)
    assert np.exp(query[0]) == pytest.approx(expected[0] + match.cdf(2.5), rel=2e-3)
    assert np.exp(listed[0]) == pytest.approx(sum(expected) + match.cdf(.9), rel=2e-3)


def test_more_evidence_never_speaks_less(fitted):
    evidence = np.zeros((400, 1, 5))
    evidence[:, 0, 0] = np.linspace(-20, 20, 400)
    evidence *= np.sign(fitted.weights[0])
    present, hits = fitted.probabilities(evidence, 300)
    assert (np.diff(present) > 0).all() and present[0] < .1 < .9 < present[-1]


@pytest.mark.parametrize('method, size', [('logistic', 20_000), ('isotonic', 300)])
def test_answers_of_one_probability_keep_the_order_of_their_evidence(fitted, method, size):
    """Strangers with a longer tail than the person's: level there, and told apart all the same."""
    law = StrangerLaw(PowerLaw(3., 0., 1.), PowerLaw(1.5, 0., 1.), .9)
    curve = fitted.presence if method == 'logistic' else Curve(knots=((-1., .3), (1., .6)))
    level = replace(fitted, weights=np.array([1., 0, 0, 0, 0]), match=SplitNormal(3., .5, .5),
                    strangers=law, presence=curve)
    summed = np.random.default_rng(0).permutation(np.linspace(2, 60, 500))
    evidence = np.zeros((500, 1, 5))
    evidence[:, 0, 0] = summed
    present, hits = level.probabilities(evidence, size)
    top = present[summed > 10]
    assert np.ptp(top) < 2e-3  # what the laws say there is one probability
    assert [*np.argsort(present)] == [*np.argsort(summed)]
    truth, right = summed % 3 < 2, summed % 5 < 4
    told, expected = (identification_rate(values, truth, right) for values in (present, summed))
    assert told == expected > 0
    assert 0 < present.min() and present.max() < 1 and (hits[:, 0] <= present).all()


@pytest.mark.parametrize('prior', [.1, .5, .97])
def test_another_share_by_counting(prior):
    """Of 1,000 sentences 600 have an evidence that 2 in 3 of those present have, 1 in 5 others."""
    odds = (2 / 3) / (1 / 5)
    at_half = odds / (1 + odds)
    here, away = prior * 2 / 3, (1 - prior) / 5
    assert shift_prior(np.array([at_half]), .5, prior)[0] == pytest.approx(here / (here + away))


def test_what_cannot_be_fitted():
    with pytest.raises(BadValue, match='at least 30 people with pictures and sentences, got 20'):
        fit_calibration(world(20, seed=0))
    with pytest.raises(BadValue, match="logistic or isotonic, got 'magic'"):
        fit_calibration(world(40, seed=0), 'magic')
