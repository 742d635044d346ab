"""The second stage against sorting by hand, and inside the metric."""

import logging

import numpy as np
import pytest
import torch
from mmengine.dataset import DefaultSampler
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from mmpretrain.structures import DataSample
from process_group import run_in_group

from mmtbps.errors import BadValue, MissingKey
from mmtbps.evaluation import QueryExpansion, Reranker, evaluate_ranking, rerank_scores
from mmtbps.registry import METRICS


class Table:
    """A second stage that reads its scores in a table of sentences and paths."""

    def __init__(self, texts, images, seed=0):
        draw = np.random.default_rng(seed)
        self.values = {(text, image): float(draw.normal()) for text in texts for image in images}
        self.asked = []

    def match(self, texts, images, places):
        assert len(texts) == len(places)
        self.asked += [(text, images[j]) for text, row in zip(texts, places, strict=True)
                       for j in row]
        return torch.tensor([[self.values[text, images[j]] for j in row]
                             for text, row in zip(texts, places, strict=True)])

    def __str__(self):
        return 'a table'


def slow_order(row, matches, k, weight):
    """Gallery places in their new order, by Python's own sorting."""
    first = sorted((j for j in range(len(row)) if row[j] > -np.inf), key=lambda j: (-row[j], j))
    best = sorted(first[:k], key=lambda j: (-(matches[j] + weight * row[j]), -row[j], j))
    return best + first[k:]


@pytest.mark.parametrize('k', [1, 4, 11, 30])
@pytest.mark.parametrize('weight', [0., .7])
@pytest.mark.parametrize('digits', [1, 6])  # few digits: many ties in both stages
def test_order_equals_sorting(k, weight, digits):
    draw = np.random.default_rng(k)
    scores = torch.tensor(draw.uniform(-1, 1, (6, 11)).round(digits))
    scores[3, 2:5] = -torch.inf
    matches = torch.tensor(draw.normal(size=(6, 11)).round(digits))
    places = scores.sort(dim=1, descending=True, stable=True).indices[:, :k]
    found = rerank_scores(scores, places, matches.gather(1, places), weight)
    for row, old, judged in zip(found, scores.numpy(), matches.numpy(), strict=True):
        order = row.sort(descending=True, stable=True).indices.tolist()
        expected = slow_order(old, judged, k, weight)
        assert order[:len(expected)] == expected
        assert row.isneginf().tolist() == np.isneginf(old).tolist()


def make_samples(images=9, seed=0):
    draw = torch.Generator().manual_seed(seed)
    samples = []
    for i in range(images):
        sample = DataSample(metainfo=dict(
            img_path=f'{i}.jpg', person_id=i % 4, image_id=i,
            captions=[f'sentence {i} {j}' for j in range(1 + i % 2)]))
        sample.set_field(torch.randn(8, generator=draw), 'image_feature')
        sample.set_field(torch.randn(1 + i % 2, 8, generator=draw), 'text_features')
        samples.append(sample)
    return samples


def evaluate(samples, **settings):
    evaluator = Evaluator(METRICS.build(dict(type='RankKMetric', **settings)))
    evaluator.process(samples)
    return evaluator.evaluate(len(samples))


@pytest.mark.parametrize('scaling', ['fixed', 'whole matrix'])
def test_the_metric_counts_the_new_order(scaling):
    samples = make_samples()
    texts = [text for sample in samples for text in sample.captions]
    paths = [sample.img_path for sample in samples]
    stage = Table(texts, paths)
    found = evaluate(samples, chunk_size=4, refinements=[
        Reranker(stage, k=5, weight=.3, scaling=scaling)])
    assert {image for _, image in stage.asked} <= set(paths)

    queries = torch.cat([sample.text_features for sample in samples])
    gallery = torch.stack([sample.image_feature for sample in samples])
    cosines = torch.nn.functional.cosine_similarity(queries[:, None], gallery[None], dim=2).numpy()
    best = np.argsort(-cosines, axis=1, kind='stable')[:, :5]
    judged = np.array([[stage.values[text, path] for path in paths] for text in texts])
    weight = .3
    if scaling == 'whole matrix':  # as APTM: each matrix to 0 to 1, the rest at the least match
        seen = np.take_along_axis(judged, best, 1)
        matrix = np.repeat(seen.min(1, keepdims=True), len(paths), 1)
        np.put_along_axis(matrix, best, seen, 1)
        matrix = (matrix - matrix.min()) / (matrix.max() - matrix.min())
        matrix += .3 * (cosines - cosines.min()) / (cosines.max() - cosines.min())
        orders = [sorted(range(9), key=lambda j, row=row: -row[j]) for row in matrix]
    else:
        orders = [slow_order(row, match, 5, weight)
                  for row, match in zip(cosines, judged, strict=True)]
    owners = [sample.person_id for sample in samples for _ in sample.captions]
    people = [sample.person_id for sample in samples]
    first = [people[order[0]] == owner for order, owner in zip(orders, owners, strict=True)]
    assert found['t2i/R1'] == pytest.approx(100 * np.mean(first))
    last = [max(order.index(j) for j in range(9) if people[j] == owner) + 1
            for order, owner in zip(orders, owners, strict=True)]
    expected = [people.count(owner) / rank for owner, rank in zip(owners, last, strict=True)]
    assert found['t2i/mINP'] == pytest.approx(100 * np.mean(expected))


def test_pictures_are_asked_without_it_and_the_protocol_names_it(caplog):
    samples = make_samples()
    stage = Table([text for sample in samples for text in sample.captions],
                  [sample.img_path for sample in samples])
    logger = MMLogger.get_instance('reranked', logger_name='mmtbps')
    logger.addHandler(caplog.handler)
    plain, reranked = evaluate(samples), evaluate(samples, refinements=[Reranker(stage, k=3)])
    assert {key: value for key, value in plain.items() if 'i2t' in key} == {
        key: value for key, value in reranked.items() if 'i2t' in key}
    assert plain['t2i/mAP'] != reranked['t2i/mAP']
    caplog.set_level(logging.INFO)
    assert 'refined by a table over the first 3 (weight of the first stage 0)' in caplog.text


@pytest.mark.parametrize('scaling', ['fixed', 'whole matrix'])
def test_each_pair_is_judged_once(scaling):
    samples = make_samples()
    texts = [text for sample in samples for text in sample.captions]
    stage = Table(texts, [sample.img_path for sample in samples])
    evaluate(samples, chunk_size=4, refinements=[Reranker(stage, k=5, scaling=scaling)])
    assert len(stage.asked) == len(set(stage.asked)) == 5 * len(texts)


def test_whole_matrices_behind_another_refinement_are_of_its_order():
    """The first five of the expanded queries are others than those of the queries."""
    samples = make_samples()
    texts = [text for sample in samples for text in sample.captions]
    stage = Table(texts, [sample.img_path for sample in samples])
    expansion = QueryExpansion(k=3)
    evaluate(samples, directions=('t2i', ), refinements=[
        expansion, Reranker(stage, k=5, scaling='whole matrix')])
    queries = torch.nn.functional.normalize(
        torch.cat([sample.text_features for sample in samples]), dim=1)
    gallery = torch.nn.functional.normalize(
        torch.stack([sample.image_feature for sample in samples]), dim=1)
    scores = expansion(queries, gallery, queries @ gallery.T, slice(None))
    best = scores.sort(dim=1, descending=True, stable=True).indices[:, :5]
    expected = [(text, f'{j}.jpg') for text, row in zip(texts, best.tolist(), strict=True)
                for j in row]
    assert stage.asked[-len(expected):] == expected


@pytest.mark.parametrize('k, weight, same_as', [(1, 0., 'first'), (9, 1e6, 'first'),
                                                (50, 0., 'second'), (9, 0., 'second')])
def test_the_ends_are_one_stage_alone(k, weight, same_as):
    samples = make_samples()
    texts = [text for sample in samples for text in sample.captions]
    paths = [sample.img_path for sample in samples]
    stage = Table(texts, paths)
    found = evaluate(samples, directions=('t2i', ), refinements=[
        Reranker(stage, k=k, weight=weight)])
    if same_as == 'second':  # features whose cosines are in the order of the second stage
        table = torch.tensor([[stage.values[text, path] for path in paths] for text in texts])
        rows = iter(table.split([len(sample.captions) for sample in samples]))
        for place, sample in enumerate(samples):
            sample.set_field(torch.eye(len(paths))[place], 'image_feature')
            sample.set_field(next(rows), 'text_features')
    assert found == evaluate(samples, directions=('t2i', ))


def _judge_in_a_share(rank, scaling):
    """Sharded as MMEngine's loaders do: the last batch is filled up with first samples."""
    torch.set_num_threads(1)
    samples = make_samples()
    texts = [text for sample in samples for text in sample.captions]
    stage = Table(texts, [sample.img_path for sample in samples])
    mine = [samples[index] for index in DefaultSampler(samples, shuffle=False)
            ] if torch.distributed.is_initialized() else samples
    evaluator = Evaluator(METRICS.build(dict(type='RankKMetric', refinements=[
        QueryExpansion(k=2), Reranker(stage, k=4, weight=.4, scaling=scaling)])))
    evaluator.process(mine)
    return evaluator.evaluate(len(samples))


@pytest.mark.parametrize('scaling', ['fixed', 'whole matrix'])
def test_two_processes_equal_one(scaling, tmp_path):
    assert run_in_group(_judge_in_a_share, 2, tmp_path, scaling) == [
        _judge_in_a_share(0, scaling)] * 2


@pytest.mark.parametrize('settings', [
    dict(k=0), dict(k=2.5), dict(k=True), dict(k=None), dict(weight=float('nan')),
    dict(weight=float('-inf')), dict(weight='1')])
def test_settings_that_say_nothing(settings):
    name, value = next(iter(settings.items()))
    with pytest.raises(BadValue, match=f'whole k from 1 and a finite weight.*{name}={value!r}'):
        Reranker(Table([], []), **settings)


def test_bad_settings_and_missing_words():
    with pytest.raises(BadValue, match="a scaling of .*got 'none'"):
        Reranker(Table([], []), scaling='none')
    with pytest.raises(MissingKey, match='sentence of each of the 3 queries.*got 0 and 0'):
        evaluate_ranking(torch.eye(3), [1, 2, 3], torch.eye(3), [1, 2, 3],
                         refinements=[Reranker(Table([], []))])


def test_scores_that_are_no_numbers():
    class Broken(Table):
        def match(self, texts, images, places):
            return torch.full(places.shape, torch.nan)

    samples = make_samples()
    with pytest.raises(BadValue, match='a table gave scores that are no numbers'):
        evaluate(samples, refinements=[Reranker(Broken([], []))])
