"""Open-set trials: who is there, of how many, and what a search would have found."""

from collections import Counter
from dataclasses import fields

import numpy as np
import pytest
from presence_worlds import world

from mmtbps.errors import BadValue
from mmtbps.evaluation.presence import open_set
from mmtbps.evaluation.presence.measures import label_free, running_z_score
from mmtbps.evaluation.presence.open_set import deal_trials, people_sizes


@pytest.fixture(scope='module')
def people():
    return world(40, seed=2, pictures=2)


def test_absent_people_are_not_there_and_all_others_are(people):
    """In a gallery of all but one, what a search of everybody else finds is known."""
    trials = deal_trials(people, 39, seed=1)
    assert sorted(trials.query) == list(range(80)) and set(trials.size) == {78}
    assert 0 < trials.present.sum() < 80
    for row, query in enumerate(trials.query.tolist()):
        own = people.gallery_ids == people.query_ids[query]
        scores = people.gallery @ people.queries[query]
        if trials.present[row]:
            assert trials.scores[row, 0] == pytest.approx(scores.max()) or not (
                trials.matches[row, 0])
            continue
        left = np.sort(scores[~own])[::-1]
        assert trials.scores[row] == pytest.approx(left[:10]) and not trials.matches[row].any()
    assert trials.matches[trials.present].any(1).mean() > .8


def test_each_sentence_is_asked_once_and_both_of_a_person_alike(people):
    trials = deal_trials(people, 9, share=.5, seed=4)
    assert max(Counter(trials.query.tolist()).values()) == 1 and len(trials) == 80
    assert set(trials.size) == {18}
    for person in np.unique(people.query_ids):
        assert len(set(trials.present[people.query_ids[trials.query] == person])) == 1


def test_who_is_absent_depends_on_the_seed_alone(people):
    first, same, other = (deal_trials(people, 9, seed=seed) for seed in (0, 0, 1))
    assert (first.present == same.present).all() and (first.scores == same.scores).all()
    assert (first.present != other.present[np.argsort(other.query)][np.argsort(
        np.argsort(first.query))]).any()
    many = deal_trials(people, 9, share=.9, seed=0)
    assert many.present.mean() > first.present.mean()


@pytest.mark.parametrize('size, share, said', [
    (40, .5, 'gallery of 40 people cannot be dealt from 40'), (0, .5, 'gallery of 0 people'),
    (9, 1., 'between 0 and 1'), (9, 0., 'between 0 and 1')])
def test_what_cannot_be_dealt(people, size, share, said):
    with pytest.raises(BadValue, match=said):
        deal_trials(people, size, share)


def test_sizes_to_fit_on():
    assert people_sizes(200) == [25, 50, 100, 199] and people_sizes(30, 10) == [10, 20, 29]


def test_running_scores_know_the_past_alone():
    rows = np.random.default_rng(0).normal(size=(5, 3))
    rows = -np.sort(-rows)
    for place, found in enumerate(running_z_score(rows)):
        past = rows[:place + 1]
        assert found == pytest.approx((rows[place, 0] - past.mean()) / past.std())


def test_without_labels_no_stranger_reaches_the_score():
    """The share of galleries of strangers whose best stays below, by trying it."""
    draw = np.random.default_rng(0)
    best = draw.normal(.3, .05, (20_000, 100)).max(1)
    scores = np.array([[.46, .44, .2]])
    present, hits = label_free(scores, np.array([.3]), np.array([.05]), 100)
    assert present[0] == pytest.approx((best < .46).mean(), abs=.01)
    assert hits[0] == pytest.approx([(best < score).mean() for score in scores[0]], abs=.01)
    more, _ = label_free(scores, np.array([.3]), np.array([.05]), 10_000)
    assert more[0] < .01


def test_scores_held_a_few_at_a_time_give_the_same_trials(people, monkeypatch):
    whole = deal_trials(people, 20, seed=3)
    monkeypatch.setattr(open_set, '_MOST_SCORES', 70)
    parts = deal_trials(people, 20, seed=3)
    for field in fields(whole):
        np.testing.assert_allclose(getattr(parts, field.name), getattr(whole, field.name),
                                   rtol=1e-9, err_msg=field.name)
