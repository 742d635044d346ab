"""Average query expansion against a loop over queries."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmtbps.errors import BadValue
from mmtbps.evaluation import QueryExpansion, RankKMetric, evaluate_ranking, expand_queries


def unit(seed, *shape):
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=1)


def slow(query, gallery, k, alpha, banned=()):
    scores = gallery @ query
    order = [j for j in np.argsort(-scores, kind='stable') if j not in banned][:k]
    total = query + sum(max(scores[j], 0) ** alpha * gallery[j] for j in order)
    return total / np.linalg.norm(total)


@pytest.mark.parametrize('k, alpha', [(1, 0), (3, 0), (3, 2.5), (50, 1)])
def test_equals_the_loop(k, alpha):
    queries, gallery = unit(0, 7, 16), unit(1, 20, 16)
    found = expand_queries(queries, gallery, queries @ gallery.T, k, alpha)
    expected = [slow(query, gallery.numpy(), k, alpha) for query in queries.numpy()]
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)


def test_what_is_out_of_the_ranking_never_joins():
    query, gallery = unit(0, 1, 8), unit(1, 4, 8)
    scores = query @ gallery.T
    best = int(scores.argmax())
    scores[0, best] = -torch.inf
    found = expand_queries(query, gallery, scores, k=4)
    np.testing.assert_allclose(found[0], slow(query[0].numpy(), gallery.numpy(), 3, 0, [best]),
                               atol=1e-6)


def test_the_evaluator_ranks_by_the_expanded_queries():
    queries, gallery = unit(0, 30, 8), unit(1, 25, 8)
    ids, gallery_ids = torch.arange(30) % 6, torch.arange(25) % 6
    refined = evaluate_ranking(queries, ids, gallery, gallery_ids, chunk_size=7,
                               refinements=[QueryExpansion(k=3, alpha=1)])
    expanded = torch.tensor(np.stack([slow(query, gallery.numpy(), 3, 1)
                                      for query in queries.numpy()]))
    assert refined == pytest.approx(evaluate_ranking(expanded, ids, gallery, gallery_ids))
    assert refined != evaluate_ranking(queries, ids, gallery, gallery_ids)


def test_a_query_is_answered_the_same_beside_others():
    queries, gallery = unit(0, 9, 8), unit(1, 25, 8)
    refine = QueryExpansion(k=3)
    scores = queries @ gallery.T
    whole = refine(queries, gallery, scores, slice(0, 9))
    alone = refine(queries[4:5], gallery, scores[4:5], slice(4, 5))
    assert torch.allclose(whole[4:5], alone, atol=1e-6)


@pytest.mark.parametrize('settings', [dict(k=0), dict(k=1.5), dict(alpha=-1),
                                      dict(alpha=float('nan'))])
def test_bad_settings(settings):
    with pytest.raises(BadValue, match='whole k from 1 and an alpha from 0'):
        QueryExpansion(**settings)


def test_distractors_in_files_are_refused():
    with pytest.raises(BadValue, match='query expansion .* whole gallery at once'):
        RankKMetric(distractors='strangers', refinements=[dict(type='QueryExpansion')])
