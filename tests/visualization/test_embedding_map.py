"""The map of features: neighbours stay neighbours, points have their person's colour."""

import sys

import numpy as np
import pytest

from mmtbps.visualization import draw_embedding_map, project_embeddings

BLUE = (31, 119, 180)


def three_groups():
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(3, 16))
    return np.repeat(centres, 12, axis=0) + 0.1 * generator.normal(size=(36, 16))


def test_neighbours_stay_neighbours():
    pytest.importorskip('sklearn')
    points = project_embeddings(three_groups(), perplexity=8)
    distances = np.linalg.norm(points[:, None] - points[None], axis=-1)
    np.fill_diagonal(distances, np.inf)
    person = np.repeat(np.arange(3), 12)
    assert (person[distances.argmin(1)] == person).all()
    assert np.array_equal(points, project_embeddings(three_groups(), perplexity=8))


def test_only_the_direction_of_a_feature_counts():
    pytest.importorskip('sklearn')
    features = three_groups()
    lengths = np.linspace(1, 9, 36)[:, None]
    points = [project_embeddings(some, perplexity=8) for some in (features, lengths * features)]
    neighbours = [np.linalg.norm(p[:, None] - p[None], axis=-1).argsort(1)[:, :12] // 12
                  for p in points]
    assert np.array_equal(neighbours[0].sum(1), neighbours[1].sum(1))


def test_few_features_are_no_map():
    pytest.importorskip('sklearn')
    assert project_embeddings(three_groups()[:4]).shape == (4, 2)
    with pytest.raises(ValueError, match='at least 4'):
        project_embeddings(three_groups()[:3])


def test_the_extra_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, 'sklearn.manifold', None)
    with pytest.raises(ImportError, match=r'mmtbps\[visualize\]'):
        project_embeddings(three_groups())


def left_of(picture, colour):
    """Mean column of a colour's pixels inside the map, its legend cut off."""
    hit = (np.asarray(picture)[:, :750].astype(int) - colour).__abs__().max(-1) < 8
    return hit.nonzero()[1].mean(), hit.sum()


def test_points_have_their_place_and_their_persons_colour():
    points = [[0, 0], [0, 1], [5, 0], [5, 1]]
    kinds = ['image', 'caption'] * 2
    picture = draw_embedding_map(points, [3, 3, 9, 9], kinds)
    swapped = draw_embedding_map(points, [9, 9, 3, 3], kinds)
    light = (174, 199, 232)
    assert left_of(picture, BLUE)[0] < 350 < left_of(picture, light)[0]
    assert left_of(swapped, light)[0] < 350 < left_of(swapped, BLUE)[0]
    images = draw_embedding_map(points, [3, 3, 3, 3], ['image'] * 4)
    captions = draw_embedding_map(points, [3, 3, 3, 3], ['caption'] * 4)
    assert left_of(images, BLUE)[1] > 1.5 * left_of(captions, BLUE)[1] > 50


def test_a_title_is_no_formula():
    titled = draw_embedding_map([[0, 0]], [1], ['image'], title='costs $5_ or $')
    assert titled.size == (900, 800)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match='2 people'):
        draw_embedding_map([[0, 0]], [1, 2], ['image'])
    with pytest.raises(ValueError, match='photo'):
        draw_embedding_map([[0, 0]], [1], ['photo'])
