"""Drawn lists: the order is that of the evaluation, a second look at it included."""

import logging
from types import SimpleNamespace

import pytest
import torch
from mmpretrain.structures import DataSample
from PIL import Image

from mmtbps.engine import RankListHook, rank_list_hook
from mmtbps.evaluation import KReciprocal, QueryExpansion, RankKMetric, Reranker

IMAGES = 9


class Backwards:
    """A second stage that prefers the pictures of large numbers, whatever was asked."""

    def match(self, texts, images, places):
        numbers = torch.tensor([float(image.removesuffix('.jpg')) for image in images])
        return numbers[places]


def make_samples():
    draw = torch.Generator().manual_seed(0)
    samples = []
    for i in range(IMAGES):
        sample = DataSample(metainfo=dict(img_path=f'{i}.jpg', person_id=i % 3, image_id=i,
                                          captions=[f'sentence {i}', 'another']))
        sample.set_field(torch.randn(8, generator=draw), 'image_feature')
        sample.set_field(torch.randn(2, 8, generator=draw), 'text_features')
        samples.append(sample)
    return samples


@pytest.fixture
def drawn(monkeypatch):
    """List what was drawn: sentence, paths, frames and scores of each list."""
    lists = []

    def draw(query, paths, correct, scores):
        lists.append((query, paths, correct, scores))
        return Image.new('RGB', (8, 8))

    monkeypatch.setattr(rank_list_hook, 'draw_rank_list', draw)
    return lists


def run_hook(tmp_path, metric, samples, **options):
    loop = SimpleNamespace(evaluator=SimpleNamespace(metrics=[metric]))
    runner = SimpleNamespace(test_loop=loop, log_dir=tmp_path, logger=logging.getLogger('lists'),
                             test_dataloader=SimpleNamespace(dataset=samples))
    hook = RankListHook(num_queries=3, **options)
    hook.before_test_epoch(runner)
    hook.after_test_iter(runner, 0, None, samples)
    metric.process(None, [sample.to_dict() for sample in samples])
    metric.evaluate(len(samples))
    hook.after_test_epoch(runner)


def unit(values):
    return torch.nn.functional.normalize(values, dim=-1)


def cosines_of(samples, place):
    gallery = unit(torch.stack([sample.image_feature for sample in samples]))
    return gallery @ unit(samples[place].text_features[0])


def test_a_plain_list_is_in_the_order_of_cosines(tmp_path, drawn):
    samples = make_samples()
    run_hook(tmp_path, RankKMetric(), samples, topk=4)
    assert [query for query, *_ in drawn] == ['sentence 0', 'sentence 3', 'sentence 6']
    for place, (_, paths, correct, scores) in zip((0, 3, 6), drawn, strict=True):
        best = cosines_of(samples, place).sort(descending=True)
        assert paths == [f'{i}.jpg' for i in best.indices[:4].tolist()]
        assert scores == pytest.approx(best.values[:4].tolist(), abs=1e-6)
        assert correct == [i % 3 == place % 3 for i in best.indices[:4].tolist()]


@pytest.mark.parametrize('scaling', ['fixed', 'whole matrix'])
def test_a_list_is_in_the_order_of_the_second_stage(tmp_path, drawn, scaling):
    samples = make_samples()
    metric = RankKMetric(refinements=[Reranker(Backwards(), k=5, scaling=scaling)])
    run_hook(tmp_path, metric, samples, topk=7)
    for place, (_, paths, _, scores) in zip((0, 3, 6), drawn, strict=True):
        cosines = cosines_of(samples, place)
        first = cosines.sort(descending=True).indices.tolist()
        order = [*sorted(first[:5], reverse=True), *first[5:7]]
        assert paths == [f'{i}.jpg' for i in order]
        assert scores == pytest.approx(cosines[order].tolist(), abs=1e-6)


@pytest.mark.parametrize('refinement', [QueryExpansion(k=3), KReciprocal(k1=3, k2=2)], ids=str)
def test_a_list_is_in_the_order_of_other_refinements(tmp_path, drawn, refinement):
    samples = make_samples()
    run_hook(tmp_path, RankKMetric(refinements=[refinement]), samples)
    gallery = unit(torch.stack([sample.image_feature for sample in samples]))
    queries = unit(torch.stack([samples[place].text_features[0] for place in (0, 3, 6)]))
    refinement.prepare(queries, gallery)
    scores = refinement(queries, gallery, queries @ gallery.T, slice(0, 3))
    assert [paths for _, paths, *_ in drawn] == [
        [f'{i}.jpg' for i in row.sort(descending=True, stable=True).indices.tolist()]
        for row in scores]


def test_the_own_image_is_left_out_where_it_was_not_counted(tmp_path, drawn):
    samples = make_samples()
    run_hook(tmp_path, RankKMetric(cross_image_only=True), samples, topk=20)
    for place, (_, paths, *_) in zip((0, 3, 6), drawn, strict=True):
        assert len(paths) == IMAGES - 1 and f'{place}.jpg' not in paths
