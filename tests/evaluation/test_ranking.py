"""Every number against a slow per-query reference, with ties, gaps and bad input."""

import numpy as np
import pytest
import torch

from mmtbps.evaluation import evaluate_ranking

MEASURES = ('R1', 'R5', 'R10', 'mAP', 'mAP_trapz', 'mINP')
COUNTS = ('num_queries', 'num_gallery', 'num_unmatched')


def walk_down(query, person, gallery, gallery_ids, banned):
    """The six numbers of one query, by walking down its list; None without a positive."""
    norm = np.linalg.norm(query)
    scores = [float(query @ other / (norm * np.linalg.norm(other))) for other in gallery]
    order = sorted((j for j in range(len(gallery)) if j not in banned),
                   key=lambda j: (-round(scores[j], 9), j))
    total = sum(gallery_ids[j] == person for j in order)
    if not total:
        return None
    hits, old_precision, standard, trapezoid, first, last = 0, 1.0, 0.0, 0.0, None, None
    for rank, j in enumerate(order, 1):
        hit = gallery_ids[j] == person
        hits += hit
        precision = hits / rank
        if hit:
            standard += precision / total
            trapezoid += (old_precision + precision) / 2 / total
            first, last = first or rank, rank
        old_precision = precision
    return [*(float(first <= k) for k in (1, 5, 10)), standard, trapezoid, total / last]


def reference(queries, query_ids, gallery, gallery_ids, query_images=None, gallery_images=None):
    rows = []
    for i, query in enumerate(np.asarray(queries, dtype=np.float64)):
        banned = [] if query_images is None else np.flatnonzero(gallery_images == query_images[i])
        rows.append(walk_down(query, query_ids[i], np.asarray(gallery, dtype=np.float64),
                              gallery_ids, set(banned)))
    matched = [row for row in rows if row]
    means = (100 * np.mean(matched, axis=0)).tolist()
    return dict(zip(MEASURES, means, strict=True), num_queries=len(rows),
                num_gallery=len(gallery), num_unmatched=len(rows) - len(matched))


def clustered(seed, num_queries=41, num_gallery=57, people=9, width=16, levels=None):
    """Features that know their person a little; with ``levels='sign'`` scores tie heavily."""
    draw = np.random.default_rng(seed)
    centres = draw.normal(size=(people, width))
    query_ids = draw.integers(0, people, num_queries)
    gallery_ids = draw.integers(0, people, num_gallery)
    queries = centres[query_ids] + 1.5 * draw.normal(size=(num_queries, width))
    gallery = centres[gallery_ids] + 1.5 * draw.normal(size=(num_gallery, width))
    if levels == 'sign':  # width 16: norm 4, so unit features and cosines are exact
        queries, gallery = np.sign(queries), np.sign(gallery)
    return queries.astype(np.float32), query_ids, gallery.astype(np.float32), gallery_ids


def assert_same(result, expected):
    assert result == pytest.approx(expected, abs=1e-9)
    assert list(result) == [*MEASURES, *COUNTS]


@pytest.mark.parametrize('seed', range(4))
@pytest.mark.parametrize('levels', [None, 'sign'])
def test_equals_reference_in_both_directions(seed, levels):
    queries, query_ids, gallery, gallery_ids = clustered(seed, levels=levels)
    assert_same(evaluate_ranking(queries, query_ids, gallery, gallery_ids),
                reference(queries, query_ids, gallery, gallery_ids))
    assert_same(evaluate_ranking(gallery, gallery_ids, queries, query_ids),
                reference(gallery, gallery_ids, queries, query_ids))


def test_sign_features_do_tie():
    queries, query_ids, gallery, gallery_ids = clustered(0, levels='sign')
    scores = queries @ gallery.T
    positives = query_ids[:, None] == gallery_ids
    tied = [(row[hit][:, None] == row).sum(1) > 1
            for row, hit in zip(scores, positives, strict=True)]
    assert np.concatenate(tied).mean() > 0.9


@pytest.mark.parametrize('levels', [None, 'sign'])
def test_any_chunk_size_gives_the_same(levels):
    queries, query_ids, gallery, gallery_ids = clustered(5, levels=levels)
    expected = reference(queries, query_ids, gallery, gallery_ids)
    for chunk_size in (*range(1, 9), 40, 41, 42, 1000):
        assert_same(evaluate_ranking(queries, query_ids, gallery, gallery_ids,
                                     chunk_size=chunk_size), expected)


@pytest.mark.parametrize('levels', [None, 'sign'])
def test_queries_without_positive_are_counted_and_left_out(levels):
    queries, query_ids, gallery, gallery_ids = clustered(6, levels=levels)
    gallery_ids[gallery_ids % 3 == 0] += 100
    expected = reference(queries, query_ids, gallery, gallery_ids)
    assert 0 < expected['num_unmatched'] < len(queries)
    for chunk_size in (1, 512):  # alone in its chunk, a query has no positive column at all
        assert_same(evaluate_ranking(queries, query_ids, gallery, gallery_ids,
                                     chunk_size=chunk_size), expected)


@pytest.mark.parametrize('levels', [None, 'sign'])
@pytest.mark.parametrize('chunk_size', [3, 512])
def test_cross_image_only_drops_the_own_image(levels, chunk_size):
    queries, query_ids, gallery, gallery_ids = clustered(7, people=30, levels=levels)
    draw = np.random.default_rng(0)
    gallery_images = np.arange(len(gallery))
    query_images = np.array([draw.choice(np.flatnonzero(gallery_ids == person))
                             if (gallery_ids == person).any() else 1000 for person in query_ids])
    expected = reference(queries, query_ids, gallery, gallery_ids, query_images, gallery_images)
    assert expected['num_unmatched'] > 0
    result = evaluate_ranking(queries, query_ids, gallery, gallery_ids, chunk_size=chunk_size,
                              query_images=query_images, gallery_images=gallery_images,
                              cross_image_only=True)
    assert_same(result, expected)
    assert_same(  # image ids alone change nothing
        evaluate_ranking(queries, query_ids, gallery, gallery_ids, query_images=query_images,
                         gallery_images=gallery_images),
        reference(queries, query_ids, gallery, gallery_ids))


def test_cross_image_only_drops_all_captions_of_an_image():
    texts = np.eye(4, dtype=np.float32)
    images = np.array([[3, 2, 1, 0], [0, 1, 2, 3]], dtype=np.float32)
    result = evaluate_ranking(
        images, [5, 5], texts, [5, 5, 5, 5], query_images=[0, 1], gallery_images=[0, 0, 1, 1],
        cross_image_only=True)
    assert (result['R1'], result['mAP'], result['mINP']) == (100, 100, 100)


def test_one_image_gallery():
    result = evaluate_ranking(torch.randn(3, 8), [1, 1, 2], torch.randn(1, 8), [1])
    assert_same(result, {**dict.fromkeys(MEASURES, 100), 'num_queries': 3, 'num_gallery': 1,
                         'num_unmatched': 1})


@pytest.mark.parametrize('people', [1, 57])
def test_all_one_person_and_all_different_people(people):
    queries, _, gallery, _ = clustered(8)
    query_ids, gallery_ids = np.arange(41) % people, np.arange(57) % people
    assert_same(evaluate_ranking(queries, query_ids, gallery, gallery_ids),
                reference(queries, query_ids, gallery, gallery_ids))


def test_equal_features_rank_by_gallery_index():
    """A collapsed model: every score ties, so the gallery order is the ranking."""
    same = torch.ones(1, 4).expand(4, 4)
    result = evaluate_ranking(same[:1], [1], same, [0, 1, 0, 1], topk=(1, 2))
    assert result['R1'] == 0 and result['R2'] == 100
    assert result['mAP'] == pytest.approx(50)  # ranks 2 and 4
    assert result['mINP'] == pytest.approx(50)


def test_topk_names_and_values():
    queries, query_ids, gallery, gallery_ids = clustered(9)
    result = evaluate_ranking(queries, query_ids, gallery, gallery_ids, topk=(3, 500))
    ranks = [row for row in (
        sorted(range(57), key=lambda j, q=q: -float(q @ gallery[j] / np.linalg.norm(gallery[j])))
        for q in queries)]
    expected = np.mean([any(gallery_ids[j] == person for j in row[:3])
                        for row, person in zip(ranks, query_ids, strict=True)])
    assert result['R3'] == pytest.approx(100 * expected) and result['R500'] == 100
    assert 'R1' not in result


@pytest.mark.parametrize('convert', [
    lambda x: x.astype(np.float64), torch.from_numpy, lambda x: torch.from_numpy(x).double() * 7,
    lambda x: torch.from_numpy(x).requires_grad_(), lambda x: x.tolist()],
    ids=['float64', 'tensor', 'float64 tensor, scaled', 'tensor with gradient', 'lists'])
def test_feature_types_and_scale_do_not_matter(convert):
    queries, query_ids, gallery, gallery_ids = clustered(10)
    assert_same(
        evaluate_ranking(convert(queries), torch.from_numpy(query_ids).int(), convert(gallery),
                         gallery_ids.astype(np.uint8)),
        reference(queries, query_ids, gallery, gallery_ids))


def test_autocast_does_not_lower_the_precision():
    queries, query_ids, gallery, gallery_ids = clustered(11)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        result = evaluate_ranking(queries, query_ids, gallery, gallery_ids)
    assert_same(result, reference(queries, query_ids, gallery, gallery_ids))


def test_input_is_left_alone_and_progress_is_shown(capsys):
    queries, query_ids, gallery, gallery_ids = (torch.from_numpy(x) for x in clustered(12))
    before = queries.clone(), gallery.clone()
    evaluate_ranking(queries, query_ids, gallery, gallery_ids, chunk_size=10, progress=True)
    assert queries.equal(before[0]) and gallery.equal(before[1])
    assert '5/5' in capsys.readouterr().err


def test_lower_precision_that_training_allowed_is_not_used(monkeypatch):
    """The products are true float32, and the setting is as before afterwards."""
    seen, product = [], torch.mm
    monkeypatch.setattr(torch, 'mm', lambda *args, **kwargs: (
        seen.append(torch.get_float32_matmul_precision()), product(*args, **kwargs))[1])
    torch.set_float32_matmul_precision('medium')
    try:
        evaluate_ranking(*clustered(14))
        assert torch.get_float32_matmul_precision() == 'medium' and set(seen) == {'highest'}
    finally:
        torch.set_float32_matmul_precision('highest')


GOOD = dict(query_features=np.ones((2, 4), np.float32), query_ids=[1, 2],
            gallery_features=np.ones((3, 4), np.float32), gallery_ids=[1, 2, 3])


@pytest.mark.parametrize('change, message', [
    (dict(gallery_features=np.ones((0, 4)), gallery_ids=[]), 'gallery_features .* non-empty'),
    (dict(query_features=np.ones((0, 4)), query_ids=[]), 'query_features .* non-empty'),
    (dict(query_features=np.ones(4)), 'query_features .* matrix'),
    (dict(gallery_features=np.ones((3, 5))), 'same width, got 4 and 5'),
    (dict(query_ids=[1]), 'query_ids must hold one id for each of the 2'),
    (dict(gallery_ids=[[1, 2, 3]]), 'gallery_ids must hold one id for each of the 3'),
    (dict(gallery_ids=[1.0, 2.0, 3.0]), 'gallery_ids must be integers'),
    (dict(gallery_ids=['a', 'b', 'c']), 'gallery_ids must be integers'),
    (dict(gallery_ids=np.array(['a', 'b', 'c'])), 'gallery_ids must be integers'),
    (dict(query_features=np.array([[1.0] * 4, [np.nan] * 4])), 'query_features: 1 rows .* row 1'),
    (dict(gallery_features=np.array([[1.0, np.inf, 0, 0]] * 3)), 'gallery_features: 3 rows'),
    (dict(gallery_ids=[7, 8, 9]), 'none of the 2 queries has a positive'),
    (dict(cross_image_only=True), 'cross_image_only needs query_images'),
    (dict(cross_image_only=True, query_images=[0, 1]), 'cross_image_only needs gallery_images'),
    (dict(cross_image_only=True, query_images=[0, 1], gallery_images=[0]), 'gallery_images must'),
    (dict(topk=()), 'topk'), (dict(topk=(0, 1)), 'topk'), (dict(chunk_size=0), 'chunk_size'),
])
def test_bad_input_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        evaluate_ranking(**{**GOOD, **change})


@pytest.mark.gpu
@pytest.mark.parametrize('levels', [None, 'sign'])
def test_gpu_equals_reference(levels):
    queries, query_ids, gallery, gallery_ids = clustered(13, levels=levels)
    assert_same(evaluate_ranking(queries, query_ids, gallery, gallery_ids, device='cuda'),
                reference(queries, query_ids, gallery, gallery_ids))
