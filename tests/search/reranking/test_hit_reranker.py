"""Answers whose first hits a second stage orders anew."""

import json

import numpy as np
import pytest
import torch
from fakes import ColorEncoder, paint_folder

from mmtbps.errors import BadValue
from mmtbps.search import HitReranker, SearchResult, TextToPersonInferencer
from mmtbps.search.galleries.memory import MemoryGallery
from mmtbps.search.indexing import Metadata

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


def test_what_only_denies_is_asked_without_it(plain):
    """The words that are left, "a person", fit everybody."""
    searcher, sentence = with_stage(plain, k=6), 'a person without a red coat'
    assert paths(searcher(sentence)[0]) == paths(plain(sentence)[0])
    assert not searcher.reranker.stage.asked
    searcher('a man in blue trousers without a red coat')
    assert [text for text, _ in searcher.reranker.stage.asked] == ['a man in blue trousers']


def test_groups_are_of_the_new_order(plain, photographs):
    (photographs / 'copy.png').write_bytes((photographs / 'green-black.png').read_bytes())
    plain.index(photographs, progress=False)
    result, = with_stage(plain, k=7)('all in red', topk=6)
    copies = [hit for hit in result.hits if hit.others]
    assert len(result.hits) == 6 and len(copies) == 1
    assert {copies[0].entry.path, copies[0].others[0].path} == {'copy.png', 'green-black.png'}


def test_the_best_of_each_track_is_seen_before_more_of_one(photographs, tmp_path):
    """Six pictures of three tracks: a second stage of three sees one of each."""
    tracks = dict(zip(NAMES, ['t1', 't1', 't2', 't3', 't3', 't1'], strict=True))
    searcher = TextToPersonInferencer(ColorEncoder(), gallery=tmp_path / 'tracks')
    searcher.index(photographs, progress=False, metadata={
        f'{name}.png': Metadata(track=track) for name, track in tracks.items()})
    first, = searcher('all in red', topk=3, group='track')
    stage = with_stage(searcher, k=3)
    result, = stage('all in red', topk=3, group='track')
    assert stage.reranker.stage.asked == [('all in red', 3)]
    assert sorted(paths(result)) == sorted(paths(first))  # the same pictures stand for the tracks
    matches = [hit.match for hit in result.hits]
    assert None not in matches and matches == sorted(matches, reverse=True)
    assert {tracks[path.removesuffix('.png')] for path in paths(result)} == {'t1', 't2', 't3'}
    assert sum(1 + len(hit.others) for hit in result.hits) == len(NAMES)


def test_an_empty_gallery(tmp_path):
    empty = TextToPersonInferencer(ColorEncoder(), gallery=MemoryGallery(
        tmp_path / 'empty', ColorEncoder.fingerprint))
    searcher = with_stage(empty)
    assert searcher('all in red')[0].hits == () and not searcher.reranker.stage.asked


def test_only_what_passes_a_filter_is_seen(photographs, tmp_path):
    searcher = TextToPersonInferencer(ColorEncoder(), gallery=tmp_path / 'cameras')
    searcher.index(photographs, progress=False, metadata={
        f'{name}.png': Metadata(camera='c1' if 'red' in name else 'c2') for name in NAMES})
    stage = with_stage(searcher, k=50)
    result, = stage('all in red', where=dict(camera='c1'))
    assert stage.reranker.stage.asked == [('all in red', 3)]
    assert {hit.entry.camera for hit in result.hits} == {'c1'} and len(result.hits) == 3
    assert stage('all in red', where=dict(camera='c9'))[0].hits == ()


@pytest.mark.parametrize('settings', [
    dict(k=0), dict(k=-3), dict(k=2.5), dict(k=True), dict(k='3'), dict(k=None),
    dict(weight=float('nan')), dict(weight=float('inf')), dict(weight='1'), dict(weight=None)])
def test_settings_that_say_nothing(settings):
    name, value = next(iter(settings.items()))
    with pytest.raises(BadValue, match=f'whole k from 1 and a finite weight.*{name}={value!r}'):
        HitReranker(Darkness(), **settings)


def test_scores_that_are_no_numbers(plain):
    searcher = with_stage(plain)
    searcher.reranker.stage.match = lambda texts, images, places: places * torch.nan
    with pytest.raises(BadValue, match='darkness gave scores that are no numbers'):
        searcher('all in red')
