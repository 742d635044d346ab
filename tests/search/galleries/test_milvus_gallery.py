"""Milvus galleries alone: an address, a query language, a server that may die."""

import importlib
import os
import signal
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip('pymilvus')
from former_milvus import client_of, make_former
from gallery_rig import (
    DIM,
    FINGERPRINT,
    WEIRD,
    SlowGallery,
    draw_people,
    same_answers,
    same_state,
    unit,
)

from mmtbps.errors import UserError
from mmtbps.search.galleries import GalleryUnreadable, MilvusGallery, NoGallery, open_gallery
from mmtbps.search.galleries.filters import read_where
from mmtbps.search.galleries.milvus import NoServer, split_address
from mmtbps.search.galleries.milvus_columns import FactColumns, NullableColumns

pytest_plugins = 'gallery_fixtures'  # `milvus_address`
QUERIES = unit(np.random.default_rng(4).normal(size=(2, DIM)))


@pytest.mark.parametrize('where, text, former', [
    ({}, '', ''), ({'camera': 'c1'}, '(facts["camera"] == "c1")', '(camera in ["c1"])'),
    ({'path': ['a', 'b']}, '(path in ["a", "b"])', '(path in ["a", "b"])'),
    ({'frame': [1, 2], 'time': (0.5, None)},
     '(facts["frame"] == 1 or facts["frame"] == 2) and (facts["time"] >= 0.5)',
     '(frame in [1, 2]) and (time >= 0.5)'),
    ({'time': (None, 1e9)}, '(facts["time"] <= 1000000000.0)', '(time <= 1000000000.0)'),
    ({'time': (1, 2)}, '(facts["time"] >= 1.0 and facts["time"] <= 2.0)',
     '(time >= 1.0 and time <= 2.0)'),
    ({'coat': ['red', 'a"b\\c\n']}, *2 * [
        r'(extra["coat"] == "red" or extra["coat"] == "a\"b\\c\n")'])])
def test_a_filter_in_the_language_of_milvus(where, text, former):
    assert FactColumns().expression(read_where(where)) == text
    assert NullableColumns().expression(read_where(where)) == former


@pytest.mark.parametrize('value', WEIRD)
def test_a_literal_ends_where_it_should(value):
    text = FactColumns().expression(read_where({'path': value}))
    text = text.removeprefix('(path in [').removesuffix('])')
    assert text[0] == text[-1] == '"' and '\n' not in text and '\r' not in text
    inside = text[1:-1].replace('\\\\', '').replace('\\"', '')
    assert '"' not in inside and not inside.endswith('\\')


@pytest.mark.parametrize('address, parts', [
    ('http://db:19530/people', ('http://db:19530', '', 'people')),
    ('https://db/station/people_2', ('https://db', 'station', 'people_2'))])
def test_parts_of_an_address(address, parts):
    assert split_address(address) == parts


@pytest.mark.parametrize('address, message', [
    ('http://host:99999/people', 'write http'), ('http://:19530/people', 'write http'),
    ('http://db:19530', 'write http://host:port/collection'),
    ('http://[::1/people', 'write http://host:port/collection'),
    ('http://db/a/b/c', 'write http://host:port/collection'),
    ('http://db/people?x=1', 'write http://host:port/collection'),
    ('http://db/my-people', "letters, digits and .*got 'my-people'"),
    ('http://root:secret@db/people', 'MILVUS_TOKEN')])
def test_an_address_of_another_form_is_refused(address, message):
    with pytest.raises(ValueError, match=message) as refusal:
        MilvusGallery(address)
    assert 'secret' not in str(refusal.value)


def test_no_server_is_a_clear_error(monkeypatch):
    import pymilvus

    def refuse(*args, **kwargs):
        raise pymilvus.MilvusException(message='Fail connecting to server')

    monkeypatch.setattr(pymilvus, 'MilvusClient', refuse)
    with pytest.raises(ConnectionError, match='http://localhost:1/people: no Milvus server') as no:
        open_gallery('http://localhost:1/people')
    assert isinstance(no.value, UserError)


def test_a_proxy_is_named_but_never_asked_for_this_machine(monkeypatch, milvus_address):
    import pymilvus
    for name in ('no_proxy', 'NO_PROXY', 'grpc_proxy', 'https_proxy'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv('http_proxy', 'http://127.0.0.1:9')
    MilvusGallery(f'{milvus_address}/behind_a_proxy', FINGERPRINT).upsert(*draw_people([0]))
    assert open_gallery(f'{milvus_address}/behind_a_proxy').info()['entries'] == 1

    def refuse(*args, **kwargs):
        raise pymilvus.MilvusException(message='Fail connecting to server')

    monkeypatch.setattr(pymilvus, 'MilvusClient', refuse)
    with pytest.raises(NoServer, match='proxy that http_proxy names, unless no_proxy holds db.cam'):
        open_gallery('http://db.cam:1/people')
    with pytest.raises(NoServer) as here:
        open_gallery('http://[::1]:1/people')
    assert 'proxy' not in str(here.value)


def test_the_token_comes_from_the_environment(monkeypatch):
    import pymilvus
    seen = {}

    def connect(server, **options):
        seen.update(options, server=server)
        raise pymilvus.MilvusException(message='enough')

    monkeypatch.setattr(pymilvus, 'MilvusClient', connect)
    monkeypatch.setenv('MILVUS_TOKEN', 'ann:secret')
    with pytest.raises(ConnectionError) as refusal:
        MilvusGallery('http://localhost:1/station/people')
    assert (seen['server'], seen['token']) == ('http://localhost:1', 'ann:secret')
    assert seen['grpc_options']['grpc.keepalive_permit_without_calls'] == 0
    assert seen['db_name'] == 'station' and 'secret' not in str(refusal.value)


@pytest.mark.parametrize('call', [
    lambda gallery: gallery.search(QUERIES, 5), lambda gallery: gallery.upsert(*draw_people([1])),
    lambda gallery: gallery.count(), lambda gallery: list(gallery.entries()),
    lambda gallery: gallery.delete(ids=['1']), lambda gallery: gallery.info(),
    lambda gallery: gallery.optimize()],
    ids=['search', 'upsert', 'count', 'entries', 'delete', 'info', 'optimize'])
def test_a_server_that_goes_away_is_one_line_in_every_call(call, milvus_address, monkeypatch):
    import pymilvus
    gallery = MilvusGallery(f'{milvus_address}/goes_away', FINGERPRINT)
    gallery.upsert(*draw_people([0]))

    def gone(*args, **options):
        raise pymilvus.MilvusException(message='server unavailable: connect refused\nat 1:2')

    for name in ('search', 'upsert', 'query', 'query_iterator', 'get', 'delete', 'describe_index',
                 'flush', 'compact'):
        monkeypatch.setattr(pymilvus.MilvusClient, name, gone)
    with pytest.raises(GalleryUnreadable, match='/goes_away: the Milvus server refused, or ended, '
                                                r"'\w+' \(.*server unavailable.*\)$"):
        call(gallery)


def test_a_server_that_goes_away_between_two_pages_is_one_line(milvus_address, monkeypatch):
    import pymilvus
    gallery = MilvusGallery(f'{milvus_address}/pages', FINGERPRINT)
    gallery.upsert(*draw_people([0]))

    class Pages:
        def next(self):
            raise pymilvus.MilvusException(message='gone')

        def close(self):
            pass

    monkeypatch.setattr(pymilvus.MilvusClient, 'query_iterator', lambda *args, **options: Pages())
    with pytest.raises(GalleryUnreadable, match="ended, 'next'"):
        list(gallery.entries())


def test_an_index_of_ones_choice(milvus_address):
    gallery = MilvusGallery(f'{milvus_address}/chosen', FINGERPRINT, index='HNSW',
                            index_params=dict(M=16, efConstruction=100), search_params=dict(ef=200))
    slow, people = SlowGallery(), draw_people(range(100))
    for each in (gallery, slow):
        each.upsert(*people)
    assert gallery.info()['index'] == 'HNSW'
    same_answers(gallery.search(QUERIES, 5), slow.search(QUERIES, 5))


def test_a_strangers_collection_is_refused(milvus_address):
    client_of(milvus_address).create_collection('strange', dimension=DIM)
    with pytest.raises(ValueError, match='no gallery of mmtbps'):
        open_gallery(f'{milvus_address}/strange', FINGERPRINT)


def test_a_collection_of_earlier_versions_is_searched_filtered_and_written_to(milvus_address):
    slow, people = SlowGallery(), draw_people(range(60))
    make_former(milvus_address, 'former', FINGERPRINT, people)
    slow.upsert(*people)
    gallery = open_gallery(f'{milvus_address}/former', FINGERPRINT)
    same_state(gallery, slow, QUERIES)
    for each in (gallery, slow):
        each.upsert(*draw_people(range(50, 70), seed=3))
        assert each.delete(ids=['street/3.jpg#0']) == 1
        assert each.delete(where={'camera': 'c1', 'coat': 'red'}) > 0
    again = open_gallery(f'{milvus_address}/former')
    same_state(again, slow, QUERIES)
    assert list(again.known_contents([f'{2:064x}', f'{9999:064x}'])) == [f'{2:064x}']
    assert [again.knows(key) for key in ('camera', 'frame', 'coat', 'hat')] == [
        True, True, True, False]


def test_a_collection_made_anew_meanwhile_is_asked_by_its_own_columns(milvus_address):
    make_former(milvus_address, 'anew', FINGERPRINT, draw_people(range(8)))
    gallery = open_gallery(f'{milvus_address}/anew', FINGERPRINT)
    client_of(milvus_address).drop_collection('anew')
    open_gallery(f'{milvus_address}/anew', FINGERPRINT).upsert(*draw_people(range(4)))
    assert gallery.count({'camera': 'c1'}) == 1 and gallery.count() == 4


def test_a_thousand_values_of_one_key_and_more_queries_than_a_call_takes(milvus_address):
    gallery, people = MilvusGallery(f'{milvus_address}/many', FINGERPRINT), draw_people(range(40))
    gallery.upsert(*people)
    assert gallery.count({'camera': [f'c{i}' for i in range(1, 1000)]}) == sum(
        entry.camera in ('c1', 'c2', 'c3') for entry in people[0])
    queries = np.repeat(people[1], 3, axis=0)
    found = gallery.search(queries, topk=16_384)
    assert [hits[0].entry for hits in found] == [each for each in people[0] for _ in range(3)]
    assert all(len(hits) == 40 for hits in found)


def test_limits_of_milvus_are_named(milvus_address):
    gallery = MilvusGallery(f'{milvus_address}/limits', FINGERPRINT)
    (entry,), vectors = draw_people([0])
    object.__setattr__(entry, 'path', 'ä' * 10_000)
    with pytest.raises(ValueError, match="'path' is longer than the 16384 bytes"):
        gallery.upsert([entry], vectors)
    with pytest.raises(NoGallery):  # none is left of the failure
        gallery.info()
    gallery.upsert(*draw_people([1]))
    with pytest.raises(ValueError, match='/limits: .*at most 16384 hits a query, asked for 16385'):
        gallery.search(QUERIES, topk=16_385)
    large = replace(draw_people([1])[0][0], extra={'note': 'ä' * 33_000})
    with pytest.raises(ValueError, match='all that is known .* longer than the 65536 bytes'):
        gallery.upsert([large], vectors)
    with pytest.raises(ValueError, match="'path' is longer than the 16384 bytes"):
        gallery.upsert([entry], vectors)
    assert gallery.count() == 1


def test_a_full_disk_of_the_server_is_told_with_the_way_out():
    import pymilvus

    from mmtbps.search.galleries import milvus

    def flush(name):
        raise pymilvus.MilvusException(
            message='[Errno 28] Error writing bytes to file. Detail: [errno 28] No space left')

    client = milvus._NamedCalls(SimpleNamespace(flush=flush), 'http://here/people')
    with pytest.raises(GalleryUnreadable, match="'flush' .*make room and start the server again"):
        client.flush('people')


def test_a_collection_that_is_gone_is_told_in_the_words_of_every_server():
    import pymilvus

    from mmtbps.search.galleries import milvus

    def describe(name):
        raise pymilvus.MilvusException(100, "can't find collection collection not found[people]")

    client = milvus._NamedCalls(SimpleNamespace(describe=describe), 'http://here/people')
    with pytest.raises(GalleryUnreadable, match='http://here/people.*does not exist any more$'):
        client.describe('people')


@pytest.mark.slow
def test_kill_9_of_the_server_loses_nothing_that_was_safe(tmp_path, monkeypatch):
    pytest.importorskip('milvus_lite')
    monkeypatch.syspath_prepend(Path(__file__).parents[3] / 'tools')
    server = importlib.import_module('benchmarks.milvus_server')
    draw, slow, port = np.random.default_rng(), SlowGallery(), server.free_port()
    for turn in range(20):
        with server.milvus_server(tmp_path / 'data', port) as (address, process):
            gallery = open_gallery(f'{address}/people', FINGERPRINT)
            # What was not confirmed may be there, or not.
            assert gallery.count() - len(slow.rows) in (0, 10 * (turn > 0))
            slow.rows = {entry.id: (entry, vector) for entries, vectors in [
                gallery.get([entry.id for entry in gallery.entries()])]
                for entry, vector in zip(entries, vectors, strict=True)} | slow.rows
            same_answers(gallery.search(QUERIES, 10_000), slow.search(QUERIES, 10_000))
            for step in range(int(draw.integers(1, 6))):
                numbers = range(turn * 100 + step * 10, turn * 100 + step * 10 + 10)
                people = draw_people(numbers)
                gallery.upsert(*people)
                slow.upsert(*people)
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
