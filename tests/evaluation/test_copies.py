"""Exact copies in a gallery: found by hash, told in the protocol line and by check-data."""

from itertools import combinations

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.logging import MessageHub
from mmpretrain.structures import DataSample
from PIL import Image

from mmtbps.evaluation import RankKMetric
from mmtbps.evaluation.copies import Copies, alike_rows, describe_copies, find_copies


@pytest.fixture
def pictures(tmp_path):
    """Paths of six pictures: 0 and 3 are one file, 1 and 4 the same pixels, 5 is broken."""
    draw = np.random.default_rng(0)
    seen = [Image.fromarray(draw.integers(0, 255, (12, 6, 3), np.uint8)) for _ in range(3)]
    paths = [tmp_path / name for name in ('a.png', 'b.png', 'c.png', 'd.png', 'e.bmp', 'f.png')]
    for path, image in zip(paths, [*seen, seen[0], seen[1]], strict=False):
        image.save(path)
    paths[5].write_bytes(b'no picture')
    return [str(path) for path in paths]


def test_equal_files_and_equal_pixels_are_told_apart(pictures):
    assert find_copies(pictures) == [Copies((0, 3), True), Copies((1, 4), False)]
    assert find_copies(pictures, pixels=False) == [Copies((0, 3), True)]
    assert find_copies(pictures, among=[0, 1, 4]) == [Copies((1, 4), False)]
    assert find_copies([pictures[5], pictures[5], 'gone.png']) == []


@pytest.mark.parametrize('equal', [(), (3, 17), (3, 17, 40)])
def test_alike_rows_are_those_of_all_pairs(equal):
    draw = np.random.default_rng(1)
    rows = draw.normal(size=(50, 16)).astype(np.float32)
    for other in equal[1:]:
        rows[other] = rows[equal[0]] * (1 + 1e-6)
    rows[5] = rows[6] + 1e-2  # near, and no copy
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    expected = {row for pair in combinations(range(50), 2)
                if np.linalg.norm(unit[pair[0]] - unit[pair[1]]) < 1e-4 for row in pair}
    assert alike_rows(rows) == sorted(expected) == sorted(equal)


def test_few_rows_have_no_alike():
    assert alike_rows(np.zeros((0, 4))) == [] and alike_rows(np.ones((1, 4))) == []


def test_words_count_people_and_queries():
    copies = [Copies((0, 1), True), Copies((2, 3), False)]
    said = describe_copies(copies, 'abcd', [1, 2, 3, 3], [1, 1, 2, 3, 4, 5])
    assert said == ('copies: 2 (a = b, same file, 2 people; c = d, same pixels, 1 person); '
                    '4 of 6 queries are of these people')
    assert describe_copies([], [], [], []) == ''
    assert 'and 2 more' in describe_copies(copies[:1] * 5, 'abcd', [1] * 4, [1])


def test_the_protocol_line_names_a_copy(pictures):
    samples = []
    for index, path in enumerate(pictures[:4]):
        sample = DataSample(metainfo=dict(img_path=path, person_id=index, image_id=index))
        sample.set_field(torch.eye(4)[index % 3], 'image_feature')
        sample.set_field(torch.eye(4)[[index, index]], 'text_features')
        samples.append(sample)
    told = [_protocol_of(samples), _protocol_of(samples[:3])]
    assert (f'| copies: 1 ({pictures[0]} = {pictures[3]}, same file, 2 people); 4 of 8 queries are '
            'of these people | positives') in told[0]
    assert 'copies' not in told[1]


def _protocol_of(samples):
    evaluator = Evaluator(RankKMetric(topk=(1,)))
    evaluator.process(data_samples=samples, data_batch=None)
    evaluator.evaluate(len(samples))
    return MessageHub.get_current_instance().get_info('protocol')
