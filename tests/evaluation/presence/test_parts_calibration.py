"""Calibrations on sentences that fit several people: who is asked, and what is right of it."""

from dataclasses import replace

import numpy as np
import pytest
from presence_worlds import DIM, unit, world

from mmtbps.errors import BadValue
from mmtbps.evaluation.presence import (
    OpenSet,
    deal_trials,
    describe_fit,
    fit_calibration,
    fit_parts,
)
from mmtbps.evaluation.presence.measures import measure_hits
from mmtbps.evaluation.presence.reliability import (
    area_under_curve,
    brier_skill,
    calibration_error,
)

pytest.importorskip('sklearn')
KINDS, NOISE = 20, .8


def dressed(people, seed, noise=NOISE):
    """An `OpenSet` of people of twenty kinds, and sentences that say the kind alone."""
    kinds = unit(np.random.default_rng(77).normal(size=(KINDS, DIM)))
    draw = np.random.default_rng(seed)
    worn = draw.integers(KINDS, size=people)
    gallery, queries = (unit(kinds[worn] + each * unit(draw.normal(size=(people, DIM))))
                        for each in (noise * DIM ** .5 / 4, .3))
    ids = np.arange(people)
    return OpenSet(queries, ids, gallery, ids, unit(draw.normal(size=(64, DIM))),
                   fits=(worn[:, None] == worn).astype(np.int8))


@pytest.fixture(scope='module')
def fitted():
    return fit_parts(dressed(200, seed=0), fitted_on=dict(dataset='Kinds', words=[1, 3]))


@pytest.fixture(scope='module')
def others(fitted):
    return replace(dressed(401, seed=1), bank=fitted.bank, scale=fitted.scale)


@pytest.mark.parametrize('alone', [True, False])
def test_who_may_fit_is_gone_and_who_fits_as_asked_for(alone):
    """Against a search among those who are left, one by one."""
    data = world(40, seed=2, pictures=2)
    draw = np.random.default_rng(0)
    fits = draw.choice([-1, 0, 1], p=[.1, .8, .1], size=(80, 40)).astype(np.int8).repeat(2, 1)
    trials = deal_trials(replace(data, fits=fits), 39, seed=1, alone=alone)
    whole = deal_trials(data, 39, seed=1)
    assert trials.query.tolist() == whole.query.tolist()
    assert (trials.present == whole.present).all() and 0 < trials.present.mean() < 1
    several = 0
    for row, query in enumerate(trials.query.tolist()):
        own = data.gallery_ids == data.query_ids[query]
        there = fits[query] == 0
        if trials.present[row]:
            there = (there | ((fits[query] == 1) & (not alone))) | own
        else:
            there &= ~own
        # Of those who are there somebody else is missing, whoever it is.
        assert trials.size[row] in ((there.sum(), there.sum() - 2) if trials.present[row]
                                    else (there.sum(),))
        scores = (data.gallery @ data.queries[query])[there]
        right = (own | (fits[query] == 1))[there]
        known = dict(zip(scores.round(9).tolist(), right.tolist(), strict=True))
        found = trials.scores[row].round(9).tolist()
        assert [known[score] for score in found] == trials.matches[row].tolist()
        if not trials.present[row]:
            assert found == pytest.approx(np.sort(scores)[::-1][:10]) and not any(
                trials.matches[row])
        several += trials.matches[row].sum() > 2
    assert (several > 0) is not alone


@pytest.mark.parametrize('alone', [True, False])
def test_measures_of_hits_are_those_of_the_single_hits(fitted, others, alone):
    trials = deal_trials(others, 50, seed=3, alone=alone)
    _, hits = fitted.probabilities(trials.evidence, trials.size, .3)
    pairs = [*zip(hits.ravel().tolist(), trials.matches.ravel().tolist(), strict=True)]
    base = sum(right for _, right in pairs) / len(pairs)
    brier = sum((said - right) ** 2 for said, right in pairs) / len(pairs)
    found = measure_hits(trials, fitted, .3)
    assert sorted(found) == ['hits/AUROC', 'hits/Brier', 'hits/ECE', 'hits/skill']
    assert found['hits/Brier'] == pytest.approx(brier)
    assert found['hits/skill'] == pytest.approx(1 - brier / base / (1 - base))
    wrong = replace(trials, matches=np.zeros_like(trials.matches))
    assert measure_hits(wrong, fitted) == {}


def test_what_fits_most_people_is_not_asked():
    data = world(40, seed=2)
    fits = np.zeros((80, 40), np.int8)
    fits[:30, :] = 1
    trials = deal_trials(replace(data, fits=fits), 39, seed=1)
    assert sorted(trials.query) == list(range(30, 80))
    with pytest.raises(BadValue, match='fits, or may fit, more than half of a gallery of 39'):
        deal_trials(replace(data, fits=np.ones_like(fits)), 39)


@pytest.mark.parametrize('size', [50, 200])
def test_probabilities_come_true_with_one_who_fits(fitted, others, size):
    trials = deal_trials(others, size, seed=3)
    said, _ = fitted.probabilities(trials.evidence, trials.size)
    assert calibration_error(said, trials.present) < .1
    assert brier_skill(said, trials.present) > .05


@pytest.mark.parametrize('size', [50, 200])
def test_each_of_several_hits_has_its_own_probability(fitted, others, size):
    """One that takes a single person to be meant divides the probability by all who fit."""
    trials = deal_trials(others, size, seed=3, alone=False)
    matches = trials.matches.ravel()
    said = fitted.probabilities(trials.evidence, trials.size)[1].ravel()
    one = fit_calibration(replace(dressed(200, seed=0), fits=None))
    divided = one.probabilities(trials.evidence, trials.size)[1].ravel()
    assert calibration_error(said, matches) < .1 < calibration_error(divided, matches)
    assert brier_skill(said, matches) > max(.2, brier_skill(divided, matches) + .1)


def test_it_says_what_it_was_fitted_on_and_how_well_it_tells(fitted, others):
    line = describe_fit(fitted)
    assert '200 parts of captions x 200 pictures, 1 to 3 words each | ' in line
    areas = fitted.fitted_on['auroc']
    assert f'100, 199 people, 50 % there, AUROC {areas[0]:.2f}, {areas[1]:.2f}, ' in line
    for size, area in zip([25, 50, 100, 199], areas, strict=True):
        trials = deal_trials(others, size, seed=5)
        said, _ = fitted.probabilities(trials.evidence, trials.size)
        assert area_under_curve(said, trials.present) == pytest.approx(area, abs=.12)
    assert areas[0] > areas[-1] > .55


def test_a_model_that_sees_nothing_of_it_has_no_calibration():
    data = dressed(120, seed=3)
    blind = replace(data, queries=unit(np.random.default_rng(4).normal(size=(120, DIM))))
    with pytest.raises(BadValue, match=r'they hardly tell who is there \(AUROC at most 0\.[45]'):
        fit_parts(blind)


def test_sentences_of_a_few_people_are_too_few_however_many_others_there_are():
    """All but a few are dressed alike, and what fits most of a gallery is not asked of it."""
    data = dressed(100, seed=5)
    alike = np.arange(100) >= 6
    fits = np.where(alike[:, None] & alike, 1, np.eye(100)).astype(np.int8)
    with pytest.raises(BadValue, match='sentences of at least 30 people.* of [1-6] of 100'):
        fit_calibration(replace(data, fits=fits))


    """Nobody knows whether a sentence fits them; they may be most of the people."""
    """Whether a sentence fits them nobody knows; they may be most of the people."""
    data = dressed(240, seed=0)
    read = data.query_ids < 100
    known = replace(data, queries=data.queries[read], query_ids=data.query_ids[read])
    fits = np.where(data.gallery_ids < 100, data.fits[read], -1)
    found = fit_parts(replace(known, fits=fits), fitted_on=dict(words=[1, 3]))
    alone = replace(known, gallery=data.gallery[:100], gallery_ids=data.gallery_ids[:100],
                    fits=fits[:, :100], scale=found.scale)
    trials = deal_trials(alone, 60, seed=8)
    said, _ = found.probabilities(trials.evidence, trials.size)
    assert found.fitted_on['people'] == 100
    assert calibration_error(said, trials.present) < .15
    assert area_under_curve(said, trials.present) > .6
