"""Bounds of a rate of false alarms against slow references, and in a world where truth is known."""

import math

import numpy as np
import pytest
from presence_worlds import world

from mmtbps.errors import BadValue
from mmtbps.evaluation.presence import fit_calibration
from mmtbps.evaluation.presence.best_of import PowerLaw, StrangerLaw
from mmtbps.evaluation.presence.evidence import (
    gallery_moments,
    hit_evidence,
    left_out,
    neutral_scale,
    neutral_share,
    score_moments,
    stranger_moments,
)
from mmtbps.evaluation.presence.false_alarms import evidence_at_rate, rate_interval

LAW = StrangerLaw(PowerLaw(3., 4., .3), PowerLaw(.5, -.4, .2), right_share=.6)


@pytest.mark.parametrize('rate', [.5, .2, .01, .001, 1e-5])
def test_the_bound_is_where_one_stranger_is_above_it_as_often_as_asked(rate):
    size = max(1 / rate, 8)
    places = np.linspace(-20, 20, 400_001)
    above = 1 - np.exp(LAW.of(size).log_distribution(places) / size)
    first = places[np.argmax(above <= rate)]
    assert evidence_at_rate(LAW, rate) == pytest.approx(first, abs=2e-4)


@pytest.mark.parametrize('rate', [0, 1, -1, math.nan])
def test_what_is_no_rate_is_refused(rate):
    with pytest.raises(BadValue, match='between 0 and 1'):
        evidence_at_rate(LAW, rate)


@pytest.mark.parametrize('count, total', [(0, 10), (1, 1000), (7, 20), (20, 20)])
def test_the_interval_holds_the_shares_that_are_not_too_far_from_what_was_seen(count, total):
    shares = np.linspace(0, 1, 200_001)
    far = np.abs(count / total - shares) / np.sqrt(np.maximum(shares * (1 - shares), 1e-12) / total)
    inside = shares[(far <= 1.959964) | (shares == count / total)]
    np.testing.assert_allclose(rate_interval(count, total), (inside[0], inside[-1]), atol=2e-5)


@pytest.mark.parametrize('count, total', [(1, 0), (3, 2), (-1, 2)])
def test_what_is_no_share_is_refused(count, total):
    with pytest.raises(BadValue, match='no share'):
        rate_interval(count, total)


@pytest.mark.parametrize('rate', [.03, .003])
def test_a_rate_that_is_asked_for_is_met_by_strangers(rate):
    """60 sentences whose people are elsewhere, before 1,500 strangers; fitted on 120 people."""
    pytest.importorskip('sklearn')
    known = fit_calibration(world(120, seed=0))
    queries, gallery = world(60, seed=5, sentences=1).queries, world(1500, seed=6).gallery
    mean, second = gallery_moments(gallery)
    scale = neutral_scale(known.bank, mean, second, len(gallery), known.scale)
    scores = queries @ gallery.T
    first = np.sort(scores)[:, ::-1][:, :left_out(len(gallery))]
    moments = stranger_moments(*score_moments(queries, mean, second), len(gallery), first)
    shares = np.broadcast_to(neutral_share(gallery @ known.bank.T, scale), scores.shape)
    summed = hit_evidence(scores, shares, *moments, scale) @ known.weights
    met = (summed >= evidence_at_rate(known.strangers, rate)).mean()
    assert rate / 2.5 < met < rate * 2
