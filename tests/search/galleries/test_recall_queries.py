"""Queries that measure the recall of an index: as pictures lie, and as sentences do."""

import numpy as np
import pytest

from mmtbps.search.galleries.postgres_index import (
    queries_like_pictures,
    queries_like_sentences,
    share_as_near,
)

CONE = np.eye(24)[0] * 8


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def gallery():
    """Features in one narrow cone."""
    draw = np.random.default_rng(0)
    return unit(draw.normal(size=(400, 24)) * np.linspace(1.5, .2, 24) + CONE).astype('f4')


def test_a_picture_is_the_middle_of_two(gallery):
    queries = queries_like_pictures(gallery)
    assert queries.shape == (100, 24) and queries.dtype == np.float32
    for i in (0, 7, 99):
        middle = gallery[i].astype(float) + gallery[100 + i]
        np.testing.assert_allclose(queries[i], middle / np.sqrt(sum(middle ** 2)), atol=1e-6)


def test_a_sentence_is_a_person_told_roughly_in_another_cone(gallery):
    queries = queries_like_sentences(gallery)
    np.testing.assert_allclose(np.linalg.norm(queries, axis=1), 1, atol=1e-6)
    common = sum(row.astype(float) for row in gallery) / len(gallery)
    cosine = np.dot(common / np.linalg.norm(common), queries.mean(0))
    assert abs(cosine) < .15 < .5 < np.linalg.norm(queries.mean(0))  # together, and elsewhere
    # Beside the person, and .8 of the way between two others, all have one vector, and it is
    # orthogonal to what pictures share: that tells the length that each had.
    rough = np.array([gallery[i].astype(float) - common + .8 * (
        gallery[200 + i].astype(float) - gallery[300 + i]) for i in range(100)])
    told = np.abs(queries @ common) > .03
    assert told.sum() > 20
    lengths = (rough @ common)[told] / (queries @ common)[told]
    elsewhere = lengths[:, None] * queries[told] - rough[told]
    np.testing.assert_allclose(elsewhere, np.tile(elsewhere[0], (told.sum(), 1)), atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(elsewhere[0]), np.linalg.norm(common), atol=1e-3)


@pytest.mark.parametrize(('found', 'exact', 'share'), [
    ([.9, .8], [.9, .8], 1), ([.9, .7], [.9, .8], .5), ([], [.9], 0), ([.8, .8, .8], [.8, .8], 1)])
def test_what_is_as_near_as_the_last_right_one_is_right(found, exact, share):
    assert share_as_near(found, exact) == share


@pytest.mark.parametrize('make', [queries_like_pictures, queries_like_sentences])
def test_people_who_are_all_alike_or_opposed_give_queries_all_the_same(make):
    alike = np.tile(np.eye(24)[:1], (8, 1))
    opposed = np.vstack([np.eye(24)[:2], -np.eye(24)[:2]] * 2)
    for features in (alike, opposed):
        np.testing.assert_allclose(np.linalg.norm(make(features), axis=1), 1, atol=1e-6)
