"""k-reciprocal re-ranking against the published procedure, walked through with sets."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmtbps.errors import BadValue
from mmtbps.evaluation import KReciprocal, evaluate_ranking
from mmtbps.evaluation.refinement.k_reciprocal import jaccard_distances


def people(seed, queries=12, gallery=40, persons=8, width=16):
    draw = torch.Generator().manual_seed(seed)
    centres = torch.randn(persons, width, generator=draw)
    ids, gallery_ids = torch.arange(queries) % persons, torch.arange(gallery) % persons
    def make(ids):
        return F.normalize(centres[ids] + torch.randn(len(ids), width, generator=draw), dim=1)
    return make(ids), ids, make(gallery_ids), gallery_ids


def slow_scores(query, gallery, k1, k2, weight, banned=()):
    """Walk through the procedure of the paper with sets, for one query."""
    similar = gallery @ gallery.T
    lists = [sorted(range(len(gallery)), key=lambda j, i=i: (-similar[i, j], j))
             for i in range(len(gallery))]

    def reciprocal(i, k):
        return {j for j in lists[i][:k + 1] if i in lists[j][:k + 1]}

    def describe(members, row):
        whole = set(members)
        for j in members:
            half = reciprocal(j, round(k1 / 2))
            if len(half & set(members)) * 3 > len(half) * 2:
                whole |= half
        weights = np.zeros(len(gallery))
        for j in whole:
            weights[j] = np.exp(-(1 - row[j]) / 2)
        return weights / weights.sum()

    raw = [describe(reciprocal(i, k1), similar[i]) for i in range(len(gallery))]
    descriptions = [np.mean([raw[j] for j in lists[i][:k2]], axis=0) for i in range(len(gallery))]
    row = gallery @ query
    order = [j for j in sorted(range(len(gallery)), key=lambda j: (-row[j], j)) if j not in banned]
    own = np.mean([describe(order[:k1 + 1], row), *(raw[j] for j in order[:k2 - 1])], axis=0)
    scores = []
    for j, description in enumerate(descriptions):
        jaccard = 1 - np.minimum(own, description).sum() / np.maximum(own, description).sum()
        scores.append(-np.inf if j in banned
                      else -(1 - weight) * jaccard - weight * (1 - row[j]) / 2)
    return scores


@pytest.mark.parametrize('k1, k2, weight', [(6, 3, .3), (5, 1, 0), (20, 6, .3), (3, 2, 1)])
def test_equals_the_procedure(k1, k2, weight):
    queries, _, gallery, _ = people(k1)
    queries, gallery = queries.double(), gallery.double()
    refine = KReciprocal(k1, k2, weight)
    refine.prepare(queries, gallery)
    scores = queries @ gallery.T
    scores[2, 5] = scores[2, 7] = -torch.inf
    found = refine(queries, gallery, scores, slice(0, len(queries)))
    for i, query in enumerate(queries.numpy()):
        expected = slow_scores(query, gallery.numpy(), k1, k2, weight, {5, 7} if i == 2 else ())
        np.testing.assert_allclose(found[i], expected, atol=1e-9)


def test_it_lifts_a_gallery_of_clusters():
    queries, ids, gallery, gallery_ids = people(3, queries=80, gallery=120)
    plain = evaluate_ranking(queries, ids, gallery, gallery_ids)
    refined = evaluate_ranking(queries, ids, gallery, gallery_ids, chunk_size=30,
                               refinements=[KReciprocal(10, 4)])
    assert refined['mAP'] > plain['mAP'] + 3
    assert refined == evaluate_ranking(queries, ids, gallery, gallery_ids,
                                       refinements=[KReciprocal(10, 4)])


def test_all_of_the_weight_leaves_the_ranking():
    queries, ids, gallery, gallery_ids = people(4)
    assert evaluate_ranking(queries, ids, gallery, gallery_ids, refinements=[
        KReciprocal(weight=1)]) == evaluate_ranking(queries, ids, gallery, gallery_ids)


def test_a_gallery_smaller_than_the_sizes():
    queries, ids, gallery, gallery_ids = people(5, gallery=3, persons=3)
    assert evaluate_ranking(queries, ids, gallery, gallery_ids,
                            refinements=[KReciprocal()])['R10'] == 100


def test_jaccard_of_sums():
    draw = np.random.default_rng(0)
    left, right = (draw.random((count, 9)) * (draw.random((count, 9)) < .5) + 1e-3
                   for count in (4, 5))
    left, right = (side / side.sum(1, keepdims=True) for side in (left, right))
    expected = [[1 - np.minimum(a, b).sum() / np.maximum(a, b).sum() for b in right] for a in left]
    np.testing.assert_allclose(
        jaccard_distances(torch.tensor(left), torch.tensor(right)), expected, atol=1e-9)


@pytest.mark.parametrize('settings', [dict(k1=0), dict(k2=0), dict(k1=2.5), dict(weight=1.1),
                                      dict(weight=-.1), dict(weight=float('nan'))])
def test_bad_settings(settings):
    with pytest.raises(BadValue, match='whole k1 and k2 from 1 and a weight from 0'):
        KReciprocal(**settings)
