"""PostgreSQL galleries alone: an address, a login, a server that may die, an index."""

import signal
import subprocess

import numpy as np
import pytest
from gallery_process import BATCH, batch_of
from gallery_rig import (
    DIM,
    FINGERPRINT,
    SlowGallery,
    draw_people,
    process_command,
    same_answers,
    unit,
)

from mmtbps.errors import UserError
from mmtbps.search.galleries import (
    GalleryEntry,
    GalleryUnreadable,
    NoGallery,
    NoServer,
    open_gallery,
    postgres_errors,
    postgres_index,
)
from mmtbps.search.galleries.postgres_address import PostgresAddress
from mmtbps.search.galleries.provenance import read_provenance, write_provenance
from mmtbps.search.galleries.write_lock import GalleryReadOnly

psycopg = pytest.importorskip('psycopg')
pytest_plugins = 'gallery_fixtures'  # `postgres`
QUERIES = unit(np.random.default_rng(4).normal(size=(2, DIM)))


@pytest.mark.parametrize('address, connection', [
    ('postgresql://db/cams/people', 'postgresql://db/cams'),
    ('postgresql://a:1,[::1]:2/cams/people?target_session_attrs=read-write',
     'postgresql://a:1,[::1]:2/cams?target_session_attrs=read-write')])
def test_parts_of_an_address(address, connection):
    assert PostgresAddress.parse(address) == (connection, 'people')


@pytest.mark.parametrize('address, message', [
    ('postgresql://db/people', 'write postgresql://host'), ('postgresql:///a/b', 'write postgre'),
    ('postgresql://db/a/b/c', 'write postgresql'), ('postgresql://db/a/People', 'small letters'),
    ('postgresql://[::1/a/b', 'write postgresql'), ('postgresql://db/a/b#c', 'write postgresql'),
    ('postgresql://db/a/b;drop', 'small letters'), (f'postgresql://db/a/{"b" * 41}', 'at most 40'),
    ('postgresql://ann:secret@db/a/b', 'PGPASSWORD'), ('postgresql://secret@db/a/b', 'PGUSER'),
    ('postgresql://db/a/b?password=secret', 'pgpass'), ('postgresql://db/a/b?user=x', 'PGUSER')])
def test_an_address_of_another_form_is_refused(address, message):
    with pytest.raises(ValueError, match=message) as refusal:
        open_gallery(address, FINGERPRINT)
    assert 'secret' not in str(refusal.value)


def refusal_of(call):
    """The one line that a call ends with."""
    with pytest.raises(UserError) as refused:
        call()
    assert '\n' not in str(refused.value)
    return refused.value


def test_a_wrong_password_and_a_server_that_is_not_there_are_one_line(postgres, monkeypatch):
    monkeypatch.setenv('PGPASSWORD', 'wr0ng')
    refused = refusal_of(lambda: open_gallery(f'{postgres.address}/people'))
    assert isinstance(refused, NoServer) and 'password authentication failed' in str(refused)
    assert 'PGPASSWORD' in str(refused) and 'wr0ng' not in str(refused)
    refused = refusal_of(lambda: open_gallery('postgresql://127.0.0.1:1/db/people'))
    assert isinstance(refused, NoServer) and 'refused' in str(refused)


def test_an_extension_that_is_missing_or_too_old_is_one_line(postgres, monkeypatch):
    with psycopg.connect(postgres.address, autocommit=True) as connection:
        connection.execute('create database bare template template0')
        connection.execute("create role guest login password 'guest'")
    bare = postgres.address.replace('/postgres', '/bare')
    with monkeypatch.context() as patch:
        patch.setenv('PGUSER', 'guest')
        patch.setenv('PGPASSWORD', 'guest')
        with pytest.raises(NoGallery):
            open_gallery(f'{bare}/people')
        gallery = open_gallery(f'{bare}/people', FINGERPRINT)
        said = str(refusal_of(lambda: gallery.upsert(*draw_people([1]))))
        assert 'no extension pgvector' in said and 'CREATE EXTENSION vector' in said
    monkeypatch.setattr(postgres_errors, 'OLDEST_EXTENSION', (99, 0))
    gallery = open_gallery(f'{postgres.address}/old', FINGERPRINT)
    assert 'ALTER EXTENSION vector UPDATE' in str(
        refusal_of(lambda: gallery.upsert(*draw_people([1]))))


@pytest.mark.parametrize('name, kind, said', [
    ('DiskFull', GalleryUnreadable, 'disk of the PostgreSQL server is full, and nothing of this'),
    ('ReadOnlySqlTransaction', GalleryReadOnly, 'target_session_attrs=read-write'),
    ('AdminShutdown', GalleryUnreadable, 'the same call goes on'),
    ('OperationalError', GalleryUnreadable, 'connection to PostgreSQL was lost'),
    ('DataError', GalleryUnreadable, 'PostgreSQL refused')])
def test_what_the_server_refuses_in_mid_call_is_one_line(name, kind, said):
    error = getattr(psycopg.errors, name, None) or getattr(psycopg, name)
    refused = refusal_of(lambda: _fail(error('no more\nof it')))
    assert isinstance(refused, kind) and said in str(refused) and 'postgresql://db' in str(refused)


def _fail(error):
    with postgres_errors.explained('postgresql://db/a/people'):
        raise error


def test_a_call_that_fails_leaves_nothing_half_written(postgres, monkeypatch):
    from mmtbps.search.galleries import postgres as module
    gallery = open_gallery(f'{postgres.address}/half', FINGERPRINT)
    with monkeypatch.context() as patch:
        patch.setattr(module, 'upsert', lambda *_: 'select 1 / 0')
        refusal_of(lambda: gallery.upsert(*draw_people(range(5))))
    with pytest.raises(NoGallery):
        open_gallery(f'{postgres.address}/half')
    assert gallery.count() == 0
    gallery.upsert(*draw_people(range(5)))
    with monkeypatch.context() as patch:
        patch.setattr(module, 'upsert', lambda *_: 'select 1 / 0')
        refusal_of(lambda: gallery.upsert(*draw_people(range(5, 9))))
    assert gallery.count() == open_gallery(f'{postgres.address}/half').count() == 5


def test_limits_and_strangers_are_named(postgres):
    with psycopg.connect(postgres.address) as connection:
        connection.execute('create table strange (a int)')
    assert 'no gallery of mmtbps' in str(
        refusal_of(lambda: open_gallery(f'{postgres.address}/strange')))
    with psycopg.connect(postgres.address) as connection:
        connection.execute('create table nested (a int)')
        connection.execute(f"comment on table nested is '{'[' * 100_000}'")
    assert 'no gallery of mmtbps' in str(
        refusal_of(lambda: open_gallery(f'{postgres.address}/nested')))
    gallery = open_gallery(f'{postgres.address}/limits', FINGERPRINT)
    long = [GalleryEntry('1', 'ä' * 1001)]
    assert "'path' is longer than the 2000 bytes" in str(
        refusal_of(lambda: gallery.upsert(long, QUERIES[:1])))
    wide = open_gallery(f'{postgres.address}/wide', dict(FINGERPRINT, dim=16_001))
    assert 'at most 16000 numbers' in str(refusal_of(lambda: wide.upsert(
        [GalleryEntry('1', 'a')], unit(np.ones((1, 16_001))))))


@pytest.mark.parametrize('dim', [12, 2_100])
def test_an_index_is_built_on_request_and_its_recall_told(postgres, monkeypatch, dim):
    monkeypatch.setattr(postgres_index, 'FEW', 100)
    gallery = open_gallery(f'{postgres.address}/indexed{dim}', dict(FINGERPRINT, dim=dim))
    draw, slow = np.random.default_rng(1), SlowGallery()
    entries, _ = draw_people(range(300))
    vectors = unit(draw.normal(size=(300, dim)))
    for each in (gallery, slow):
        each.upsert(entries, vectors)
    assert gallery.info()['index'] == 'none, exact'
    lines = gallery.build_index('hnsw')
    assert gallery.info()['index'] == 'HNSW' and len(lines) == 5
    assert lines[0].startswith('recall of the first 10, no filter: ')
    assert all(float(line.rpartition(': ')[2].split()[0]) > .9 for line in lines
               if 'exactly' not in line)
    assert any('(few entries: searched exactly)' in line for line in lines)
    queries = unit(draw.normal(size=(2, dim)))
    for where in (None, {'camera': 'c1'}, {'coat': 'red'}):
        same_answers(gallery.search(queries, 5, where), slow.search(queries, 5, where))
    with gallery._asking() as connection:
        assert gallery._index.helps(connection, 10, ())
        connection.execute('set local enable_seqscan = off')  # so few people need no index
        plan = connection.execute(
            f'explain select id from {gallery._table} order by '
            f'{gallery._index.order(dim)} limit 5', [queries[0]]).fetchall()
        exact = connection.execute(
            f'explain select id from {gallery._table} order by (vector <#> %s) + 0 limit 5',
            [queries[0]]).fetchall()
    assert gallery._index.name in str(plan) and gallery._index.name not in str(exact)
    assert all(line.count(' by sentence, ') == line.count(' by picture') == 1 for line in lines)
    assert gallery.build_index('none') == ['search is exact']
    assert gallery.info()['index'] == 'none, exact'
    assert 'hnsw or none' in str(refusal_of(lambda: gallery.build_index('ivf')))


def test_recall_is_of_filters_that_somebody_passes_and_of_scores(postgres, monkeypatch):
    monkeypatch.setattr(postgres_index, 'FEW', 20)
    gallery = open_gallery(f'{postgres.address}/alike', FINGERPRINT)
    vectors = unit(np.random.default_rng(0).normal(size=(20, DIM)))
    cameras = ['b' if 40 <= i % 100 < 60 else 'a\n\x1b[31m' for i in range(600)]
    gallery.upsert([GalleryEntry(f'{i}', f'{i}.jpg', camera=camera, time=i % 100)
                    for i, camera in enumerate(cameras)], np.repeat(vectors, 30, axis=0))
    lines = gallery.build_index('hnsw')
    assert not [line for line in lines if 'a tenth' in line and 'camera' in line], lines
    assert all('\n' not in line and '\x1b' not in line for line in lines)
    # Thirty pictures of each person are the same one: any ten of them are right.
    assert all(float(line.rpartition(': ')[2].split()[0]) > .9 for line in lines), lines


def test_an_index_of_nobody_has_no_recall(postgres):
    gallery = open_gallery(f'{postgres.address}/gone', FINGERPRINT)
    gallery.upsert(*draw_people([1]))
    assert len(gallery.build_index('hnsw')) > 1  # of one person, too
    gallery.delete(ids=[entry.id for entry in gallery.entries()])
    assert gallery.build_index('hnsw') == ['no recall: the gallery has no entries']


@pytest.mark.parametrize('name', ['user', 'order', 'table', 'current_user', 'vector', 'excluded',
                                  'mmtbps_staged', 'mmtbps_going'])
def test_a_name_that_means_something_else_is_refused_at_the_door(postgres, name):
    said = str(refusal_of(lambda: open_gallery(f'{postgres.address}/{name}', FINGERPRINT)))
    assert name in said and ('another name' in said or 'cannot have the name' in said)


@pytest.mark.parametrize('name', ['going', 'passed', 'id', 'time', 'position', 'written'])
def test_a_name_of_a_column_or_of_a_part_of_a_statement_is_one_like_any_other(postgres, name):
    gallery, slow = open_gallery(f'{postgres.address}/{name}', FINGERPRINT), SlowGallery()
    for each in (gallery, slow):
        each.upsert(*draw_people(range(8)))
        each.upsert(*draw_people(range(5, 9), seed=1))
        assert each.delete(ids=['street/3.jpg#0']) == 1
    assert gallery.count({'path': 'street/4.jpg'}) == 1
    same_answers(gallery.search(QUERIES, 5), slow.search(QUERIES, 5))
    gallery.optimize()


def test_galleries_whose_names_go_on_stand_beside_each_other(postgres):
    for name in ('crowd_path', 'crowd_path_idx', 'crowd_written_idx', 'crowd_pkey', 'crowd'):
        gallery = open_gallery(f'{postgres.address}/{name}', FINGERPRINT)
        gallery.upsert(*draw_people(range(3)))
        assert gallery.count() == 3


def test_secrets_stay_out_of_what_is_kept(postgres, caplog):
    gallery = open_gallery(f'{postgres.address}/secrets', FINGERPRINT)
    gallery.upsert(*draw_people(range(3)))
    write_provenance(gallery, model='hf:a/b')
    with psycopg.connect(postgres.address) as connection:
        kept = connection.execute("select obj_description('secrets'::regclass)").fetchone()[0]
    for text in (kept, str(gallery.info()), repr(read_provenance(gallery)), caplog.text):
        assert postgres.password not in text and postgres.user + '@' not in text


def test_kill_9_of_the_server_loses_nothing_that_was_safe(postgres):
    """And the gallery that was open goes on with the server that was started again."""
    address = f'{postgres.address}/killed'
    gallery = open_gallery(address, FINGERPRINT)
    gallery.upsert(*batch_of('first', 0))
    writer = subprocess.Popen(process_command('write', address, 'w', 10_000),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    safe = [writer.stdout.readline() for _ in range(6)][1:]
    postgres.stop(signal.SIGKILL)
    try:
        refusal_of(gallery.count)
    finally:
        postgres.start()
    rest, problems = writer.communicate(timeout=60)
    safe += rest.splitlines()
    assert writer.returncode == 1
    assert 'GalleryUnreadable' in problems or 'NoServer' in problems
    found = {entry.id for entry in gallery.entries()}
    acknowledged = {f'w-{int(number)}-{i}' for number in safe for i in range(BATCH)}
    assert acknowledged and acknowledged <= found
    own = [key.rpartition('-')[0] for key in found if not key.startswith('shared')]
    assert all(own.count(batch) == BATCH for batch in set(own))
    assert gallery.count() == len(found)


@pytest.mark.slow
def test_a_replica_answers_and_takes_over(postgres, monkeypatch):
    from benchmarks.postgres_server import PostgresServer
    address = f'{postgres.address}/copied'
    gallery = open_gallery(address, FINGERPRINT)
    gallery.upsert(*batch_of('a', 0))
    replica = PostgresServer(postgres.folder.with_name('replica'), postgres.programs,
                             postgres.password)
    with open(postgres.folder / 'pg_hba.conf', 'a', encoding='utf-8') as rules:
        rules.write('host replication all 127.0.0.1/32 scram-sha-256\n')
    with psycopg.connect(postgres.address, autocommit=True) as connection:
        connection.execute('select pg_reload_conf()')
    replica.run('pg_basebackup', '-h', '127.0.0.1', '-p', postgres.port, '-D', replica.folder,
                '-R', '-X', 'stream', '--no-sync')
    replica.start()
    try:
        there = open_gallery(f'{replica.address}/copied')
        assert there.count() == BATCH + 5
        assert 'is a replica' in str(refusal_of(lambda: there.upsert(*batch_of('b', 1))))
        both = open_gallery(f'postgresql://127.0.0.1:{postgres.port},127.0.0.1:{replica.port}'
                            '/postgres/copied?target_session_attrs=read-write')
        with psycopg.connect(postgres.address, autocommit=True) as connection:
            connection.execute("alter system set synchronous_standby_names = '*'")
            connection.execute('select pg_reload_conf()')
        both.upsert(*batch_of('c', 2))
        postgres.stop(signal.SIGKILL)
        replica.run('pg_ctl', 'promote', '-D', replica.folder)
        again = open_gallery(both.uri)
        assert {entry.id for entry in again.entries()} == {
            entry.id for name, number in (('a', 0), ('c', 2)) for entry in batch_of(
                name, number)[0]}
        again.upsert(*batch_of('d', 3))
        assert again.count() == 3 * BATCH + 5
    finally:
        replica.stop()
        postgres.start('synchronous_standby_names=')
