"""Hits of one picture, track or photograph are one hit with a count."""

import shutil

import numpy as np
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
    assert groups(group='track', topk=1) == [['a', 'c']]
    with pytest.raises(UserError, match="grouped by track or photograph, got 'camera'"):
        searcher('all in red', group='camera')


@pytest.mark.parametrize('address', ['gallery', 'gallery.lance'])
def test_all_of_a_group_are_counted_however_few_are_asked_for(tmp_path, address):
    encoder, rng = ColorEncoder(), np.random.default_rng(0)
    if address.endswith('.lance'):
        pytest.importorskip('lancedb')
    gallery = open_gallery(tmp_path / address, encoder.fingerprint)
    entries = [GalleryEntry(f'{number:03}', f'v{number % 3}.mp4', 9, f's{number % 3}',
                            camera=f'c{number % 2}', track=f't{number % 5}', frame=number // 20,
                            box=(number, 0, number + 4, 9)) for number in range(60)]
    vectors = encoder.encode_texts(['all in red']) + rng.normal(size=(60, 12)) * np.linspace(
        .01, 1, 60)[:, None]
    gallery.upsert(entries, vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    searcher = TextToPersonInferencer(encoder, gallery=gallery)

    def shown(hit, by, where):
        key = (lambda entry: entry.track) if by == 'track' else (
            lambda entry: (entry.path, entry.frame))
        return {entry.id for entry in entries if key(entry) == key(hit.entry)
                and (where is None or entry.camera == where['camera'])}

    for by in ('track', 'photograph'):
        for where in (None, {'camera': 'c1'}):
            for topk in (1, 3, 20):
                (answer, ) = searcher('all in red', topk=topk, group=by, where=where)
                for hit in answer.hits:
                    assert {hit.entry.id, *(other.id for other in hit.others)} == shown(
                        hit, by, where)
