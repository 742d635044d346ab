"""Margins between a phrase and its opposites, marks, and the move of a query."""

import numpy as np
import pytest

from mmtbps.errors import BadValue
from mmtbps.search.answers.feedback import move_away, move_query
from mmtbps.search.answers.margins import (
    LABEL_FREE,
    Bounds,
    Margins,
    mark_margins,
    phrase_margins,
)


def _unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def test_margins_and_marks_are_those_of_scores_one_by_one():
    draw = np.random.default_rng(0)
    images, phrase, opposites = (_unit(draw.normal(size=size)) for size in ((7, 9), (9,), (5, 9)))
    margins = phrase_margins(images, phrase, opposites)
    way = sum(float(sum((phrase - other)**2))**.5 for other in opposites) / 5
    seen = set()
    for place, image in enumerate(images):
        score, others = float(image @ phrase), [float(image @ other) for other in opposites]
        mean, best = sum(others) / 5, max(others)
        assert margins.sides[place] == pytest.approx((score - (mean + best) / 2) / way)
        assert margins.rooms[place] == pytest.approx(max((best - mean) / way, .05))
        seen.add(mark := 'yes' if score >= best else 'no' if score <= mean else 'unsure')
        assert mark_margins(margins)[place] == mark
    assert seen == {'yes', 'no', 'unsure'}


def test_calibrated_margins_have_one_unit_for_all_pictures():
    """A picture that is far from all opposites is no surer of the phrase than its score is."""
    phrase, *opposites = np.eye(4)[:3]
    images = np.array([[.5, 0., .2, 0.], [.5, .2, .2, 0.]])
    margins = phrase_margins(images, phrase, np.stack(opposites))
    assert margins.sides[0] == pytest.approx((.5 - .15) / 2**.5)
    assert mark_margins(margins, Bounds(.1, .23)) == ['yes', 'unsure']


def test_one_opposite_has_room_around_equal_scores():
    phrase, other = np.eye(3)[:2]
    way = np.linalg.norm(phrase - other)
    for ahead, mark in ((0., 'unsure'), (.04 * way, 'yes'), (-.04 * way, 'no'),
                        (.02 * way, 'unsure')):
        image = np.array([[.5 + ahead / 2, .5 - ahead / 2, 0.]])
        assert mark_margins(phrase_margins(image, phrase, other[None])) == [mark]


def test_a_phrase_without_opposites_is_refused():
    with pytest.raises(BadValue, match='without opposites'):
        phrase_margins(np.eye(2), np.eye(2)[0], np.empty((0, 2)))


def test_bounds_make_the_marks():
    margins = Margins(np.array([-.1, 0., .4, .6, .7]), np.ones(5))
    assert mark_margins(margins, Bounds(.4, .6)) == ['no', 'no', 'no', 'yes', 'yes']
    assert LABEL_FREE.source == 'label-free' and Bounds(0, 1).source == 'calibrated'


def test_a_query_moves_by_the_means_of_its_marks():
    draw = np.random.default_rng(1)
    query, right, wrong = (_unit(draw.normal(size=size)) for size in ((6,), (3, 6), (2, 6)))
    expected = [query[i] + .3 * sum(row[i] for row in right) / 3 - .2 * sum(
        row[i] for row in wrong) / 2 for i in range(6)]
    length = sum(value**2 for value in expected)**.5
    moved = move_query(query, right, wrong, .3, .2)
    np.testing.assert_allclose(moved, np.array(expected) / length, rtol=1e-6)
    none = np.empty((0, 6))
    np.testing.assert_allclose(move_query(query, none, none), query, rtol=1e-6)
    assert moved @ right.mean(0) > query @ right.mean(0)


def test_a_query_that_is_taken_back_whole_is_refused():
    query = np.eye(2)[0]
    with pytest.raises(BadValue, match='nothing is left'):
        move_query(query, np.empty((0, 2)), query[None], unlike=1)


def test_a_query_moves_away_from_the_sum_of_what_is_denied():
    """No longer than one of them is, however many they are."""
    draw = np.random.default_rng(2)
    query, contrasts = _unit(draw.normal(size=6)), draw.normal(size=(3, 6))
    joined = [sum(row[i] for row in contrasts) for i in range(6)]
    long = sum(float(sum(row**2))**.5 for row in contrasts) / 3 / sum(one**2 for one in joined)**.5
    assert long < 1
    expected = [query[i] - long * joined[i] for i in range(6)]
    length = sum(value**2 for value in expected)**.5
    moved = move_away(query, contrasts)
    np.testing.assert_allclose(moved, np.array(expected) / length, rtol=1e-5)
    np.testing.assert_allclose(move_away(query, np.stack([contrasts[0]] * 2)),
                               move_away(query, contrasts[:1]), rtol=1e-5)
    opposed = np.stack([contrasts[0], -contrasts[0]])
    np.testing.assert_allclose(move_away(query, opposed), query, rtol=1e-5)
    nearly = np.stack([contrasts[0], .01 * contrasts[1] - contrasts[0]])
    assert move_away(query, nearly) @ query > .99
    with pytest.raises(BadValue, match='beside what it denies'):
        move_away(query, query[None])
