"""Changes of a gallery since a mark: all that was stored is told, by whichever process."""

import numpy as np
import pytest

from mmtbps.search.galleries import open_gallery
from mmtbps.search.galleries.base import BaseGallery, GalleryEntry

pytest_plugins = 'gallery_fixtures'  # `postgres`
FINGERPRINT = dict(model='toy', dim=4)


@pytest.fixture(params=['people', 'people.lance', 'postgres'])
def uri(request, tmp_path):
    if request.param == 'postgres':
        server = request.getfixturevalue('postgres')
        return f'{server.address}/c{abs(hash(request.node.name)):x}'
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


def test_what_a_transaction_under_way_brings_is_told_after_it_ended(postgres):
    """Its number is older than that of what was stored and told meanwhile."""
    psycopg = pytest.importorskip('psycopg')
    gallery = open_gallery(f'{postgres.address}/underway', FINGERPRINT)
    put(gallery, *'ab')
    with psycopg.connect(postgres.address) as slow:
        slow.execute("update underway set written = default where id = 'a'")
        put(gallery, 'c')
        _, mark = told(gallery)
        put(gallery, 'd')
        assert ('d', 'd') in told(gallery, mark)[0]
        _, later = told(gallery, mark)
    assert ('a', 'a') in told(gallery, later)[0]
    _, mark = told(gallery)
    assert told(gallery, mark)[0] == []


def test_a_look_goes_by_the_index_and_a_new_table_is_told_as_a_whole(postgres):
    psycopg = pytest.importorskip('psycopg')
    gallery = open_gallery(f'{postgres.address}/anew', FINGERPRINT)
    put(gallery, *'abc')
    _, mark = told(gallery)
    with psycopg.connect(postgres.address, autocommit=True) as connection:
        connection.execute('set enable_seqscan = off')
        plan = connection.execute('explain select entry from anew where written >= 5').fetchall()
        assert 'anew_written_idx' in str(plan)
        connection.execute('drop table anew')
    put(open_gallery(gallery.uri, FINGERPRINT), *'ab')
    assert told(open_gallery(gallery.uri), mark)[0] == [('a', 'a'), ('b', 'b')]
    assert told(gallery, mark._replace(first=mark.first + 10**9))[0] == [('a', 'a'), ('b', 'b')]


def test_a_table_of_earlier_versions_has_no_numbers_and_lists_all(postgres):
    psycopg = pytest.importorskip('psycopg')
    gallery = open_gallery(f'{postgres.address}/former', FINGERPRINT)
    put(gallery, *'abc')
    with psycopg.connect(postgres.address) as connection:
        connection.execute('alter table former drop column written')
    former = open_gallery(gallery.uri)
    put(former, 'd')
    put(former, 'b', content='new')
    entries, mark = told(former)
    assert mark is None and entries == [('a', 'a'), ('b', 'new'), ('c', 'c'), ('d', 'd')]


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
