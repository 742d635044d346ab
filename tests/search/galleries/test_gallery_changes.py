"""Changes of a gallery since a mark: all that was stored is told, by whichever process."""

import numpy as np
import pytest

from mmtbps.search.galleries import open_gallery
from mmtbps.search.galleries.base import BaseGallery, GalleryEntry

FINGERPRINT = dict(model='toy', dim=4)


@pytest.fixture(params=['people', 'people.lance'])
def uri(request, tmp_path):
    if request.param.endswith('.lance'):
        pytest.importorskip('lancedb')
    return tmp_path / request.param


def put(gallery, *names, content=''):
    vectors = np.eye(4, dtype=np.float32)[np.arange(len(names)) % 4]
    gallery.upsert([GalleryEntry(name, f'{name}.jpg', sha256=content or name) for name in names],
                   vectors)


def told(gallery, mark=None):
    entries, mark = gallery.changes(mark)
    return sorted((entry.id, entry.sha256) for entry in entries), mark


def test_each_change_is_told_once_also_those_of_others(uri):
    gallery = open_gallery(uri, FINGERPRINT)
    assert told(gallery) == ([], None)
    put(gallery, *'abcdef')
    first, mark = told(gallery)
    assert first == [(name, name) for name in 'abcdef']
    assert told(gallery, mark)[0] == []
    put(gallery, 'g', 'b', content='new')
    put(open_gallery(uri), 'h')
    new, later = told(gallery, mark)
    assert new == [('b', 'new'), ('g', 'new'), ('h', 'h')]
    assert told(gallery, later)[0] == []
    assert told(gallery, mark)[0] == new  # an older mark goes on to be good


def test_who_went_is_not_told_and_who_came_after_that_is(uri):
    gallery = open_gallery(uri, FINGERPRINT)
    put(gallery, *'abcdef')
    _, mark = told(gallery)
    put(gallery, 'g')
    gallery.delete(ids=['a', 'g'])
    new, mark = told(gallery, mark)
    assert new == []
    put(gallery, 'a', 'z')
    assert told(gallery, mark)[0] == [('a', 'a'), ('z', 'z')]


def test_nobody_is_missed_by_compacting_or_beginning_again(uri):
    gallery = open_gallery(uri, FINGERPRINT)
    for name in 'abcdef':
        put(gallery, name)
    _, mark = told(gallery)
    put(gallery, 'g')
    gallery.delete(ids=['c'])
    gallery.optimize()
    new, mark = told(gallery, mark)
    assert ('g', 'g') in new and {name for name, _ in new} <= set('abdefg')
    put(gallery, 'h')
    assert ('h', 'h') in told(gallery, mark)[0]


def test_a_mark_of_another_object_lists_what_it_does_not_know(uri):
    gallery = open_gallery(uri, FINGERPRINT)
    put(gallery, *'abc')
    _, mark = told(gallery)
    put(gallery, 'd')
    assert ('d', 'd') in told(open_gallery(uri), mark)[0]


def test_a_gallery_without_an_order_lists_all(uri):
    gallery = open_gallery(uri, FINGERPRINT)
    put(gallery, *'abc')
    entries, mark = BaseGallery._changes(gallery, 'any')
    assert sorted(entry.id for entry in entries) == [*'abc'] and mark is None
