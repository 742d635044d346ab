"""Answers whose first hits a second stage orders anew."""

import json

import numpy as np
import pytest
import torch
from fakes import ColorEncoder, paint_folder

from mmtbps.errors import BadValue
from mmtbps.search import HitReranker, SearchResult, TextToPersonInferencer

NAMES = ['red-blue', 'red', 'blue', 'green-black', 'yellow', 'white-red']


class Darkness:
    """A second stage that prefers dark pictures, whatever was asked."""

    def __init__(self):
        self.asked = []

    def match(self, texts, images, places):
        self.asked.append((*texts, len(images)))
        dark = torch.tensor([-float(np.asarray(image, np.float32).mean()) for image in images])
        return dark[places]

    def __str__(self):
        return 'darkness'


@pytest.fixture
def photographs(tmp_path):
    return paint_folder(tmp_path / 'photographs', *NAMES)


@pytest.fixture
def plain(photographs, tmp_path):
    searcher = TextToPersonInferencer(ColorEncoder(), gallery=tmp_path / 'gallery')
    searcher.index(photographs, progress=False)
    return searcher


def with_stage(searcher, **options):
    return TextToPersonInferencer(searcher.encoder, gallery=searcher.gallery,
                                  reranker=HitReranker(Darkness(), **options))


def paths(result):
    return [hit.entry.path for hit in result.hits]


def test_the_first_k_are_ordered_by_the_second_stage(plain):
    before, = plain('all in red', topk=6)
    searcher = with_stage(plain, k=4)
    after, = searcher('all in red', topk=6)
    assert searcher.reranker.stage.asked == [('all in red', 4)]
    matches = [hit.match for hit in after.hits]
    assert matches[:4] == sorted(matches[:4], reverse=True) and matches[4:] == [None, None]
    assert set(paths(after)[:4]) == set(paths(before)[:4]) and paths(after)[:4] != paths(before)[:4]
    assert paths(after)[4:] == paths(before)[4:]
    assert [hit.rank for hit in after.hits] == [1, 2, 3, 4, 5, 6]
    scores = {hit.entry.path: hit.score for hit in before.hits}
    assert {hit.entry.path: hit.score for hit in after.hits} == scores


def test_more_are_seen_than_shown(plain):
    best, = with_stage(plain, k=6)('all in red', topk=1)
    assert paths(best) == paths(with_stage(plain, k=6)('all in red', topk=6)[0])[:1]
    assert paths(best) != paths(plain('all in red', topk=1)[0])


def test_a_large_weight_leaves_the_first_order(plain):
    assert paths(with_stage(plain, k=6, weight=1e4)('all in red')[0]) == paths(
        plain('all in red')[0])


def test_answers_travel_as_json(plain):
    result, = with_stage(plain, k=2)('all in red', topk=3)
    copy = SearchResult.from_json(json.loads(json.dumps(result.to_json())))
    assert copy == result and [hit.match for hit in copy.hits] == [hit.match for hit in result.hits]
    assert 'match' in result['hits'][0] and 'match' not in result['hits'][2]
    assert 'lost' not in result


def test_lost_pictures_stand_behind_and_are_named(plain, photographs):
    first = plain('all in red', topk=1)[0].hits[0].entry.path
    (photographs / first).unlink()
    result, = with_stage(plain, k=4)('all in red', topk=6)
    assert result.lost == (first, ) and result['lost'] == [first]
    assert paths(result)[3] == first and result.hits[3].match is None


def test_pictures_and_entries_are_asked_without_it(plain, photographs):
    searcher = with_stage(plain)
    searcher.search_image(photographs / 'red.png')
    searcher.similar_to(plain('red', topk=1)[0].hits[0].entry.id)
    assert not searcher.reranker.stage.asked


def test_groups_are_of_the_new_order(plain, photographs):
    (photographs / 'copy.png').write_bytes((photographs / 'green-black.png').read_bytes())
    plain.index(photographs, progress=False)
    result, = with_stage(plain, k=7)('all in red', topk=6)
    copies = [hit for hit in result.hits if hit.others]
    assert len(result.hits) == 6 and len(copies) == 1
    assert {copies[0].entry.path, copies[0].others[0].path} == {'copy.png', 'green-black.png'}


def test_bad_number_of_hits():
    with pytest.raises(BadValue, match='at least 1 hit to see, got k=0'):
        HitReranker(Darkness(), k=0)
