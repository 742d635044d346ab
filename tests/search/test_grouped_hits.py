"""Hits of one picture, track or photograph are one hit with a count."""

import shutil

import pytest
from fakes import ColorEncoder, paint, paint_folder

from mmtbps.errors import UserError
from mmtbps.search import TextToPersonInferencer
from mmtbps.search.galleries.base import GalleryEntry
from mmtbps.search.galleries.factory import open_gallery


@pytest.fixture
def photographs(tmp_path):
    return paint_folder(tmp_path / 'photographs', 'red-blue', 'red', 'blue', 'green-black')


def test_copies_do_not_fill_the_answer(photographs, tmp_path):
    for number in range(30):
        shutil.copy(photographs / 'red.png', photographs / f'copy{number:02}.png')
    searcher = TextToPersonInferencer(ColorEncoder(), gallery=tmp_path / 'copies')
    searcher.index(photographs, progress=False)
    (answer, ) = searcher('all in red', topk=3)
    assert len({hit.entry.sha256 for hit in answer.hits}) == len(answer.hits) == 3
    assert [hit.rank for hit in answer.hits] == [1, 2, 3]
    assert [len(hit.others) for hit in answer.hits] == [30, 0, 0]
    assert answer.hits[0].describe_others() == '30 more identical'
    assert {other['path'] for other in answer['hits'][0]['others']} | {answer.hits[0].entry.path} \
        == {'red.png', *(f'copy{number:02}.png' for number in range(30))}
    (like, ) = searcher.similar_to(answer.hits[1].entry.id, topk=6)
    assert len({hit.entry.sha256 for hit in like.hits}) == len(like.hits) == 3


def test_one_hit_a_track_or_photograph_on_a_switch(tmp_path):
    encoder, colors = ColorEncoder(), ['red', 'red', 'red', 'white', 'green']
    gallery = open_gallery(tmp_path / 'gallery', encoder.fingerprint)
    entries = [GalleryEntry('a', 'a.png', 9, 'aa', track='t1', box=(0, 0, 4, 9)),
               GalleryEntry('b', 'a.png', 9, 'aa', track='t2', box=(4, 0, 8, 9)),
               GalleryEntry('c', 'c.mp4', 9, 'cc', track='t1', frame=3, box=(0, 0, 4, 9)),
               GalleryEntry('d', 'c.mp4', 9, 'cc', frame=7, box=(0, 0, 4, 9)),
               GalleryEntry('e', 'e.png')]
    gallery.upsert(entries, encoder.encode_images([paint(color) for color in colors]))
    searcher = TextToPersonInferencer(encoder, gallery=gallery)

    def groups(**options):
        return [[hit.entry.id, *(other.id for other in hit.others)]
                for hit in searcher('all in red', **options)[0].hits]

    assert sorted(groups()) == [['a'], ['b'], ['c'], ['d'], ['e']]
    assert sorted(groups(group='track')) == [['a', 'c'], ['b'], ['d'], ['e']]
    assert sorted(groups(group='photograph')) == [['a', 'b'], ['c'], ['d'], ['e']]
    assert groups(group='photograph', topk=2) == [['a', 'b'], ['c']]
    (hit, *_) = searcher('all in red', group='track')[0].hits
    assert hit.describe_others() == '1 more of this group'
    with pytest.raises(UserError, match="grouped by track or photograph, got 'camera'"):
        searcher('all in red', group='camera')
