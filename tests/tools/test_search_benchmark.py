"""The benchmark of galleries: recall by hand, the floor is exact, what is left out is said."""

import argparse
import json
import subprocess
import sys
import time

import numpy as np
import pytest

from mmtbps.commands.benchmark import load_benchmark, markdown_table


@pytest.fixture(scope='module')
def search():
    return load_benchmark('search')


@pytest.fixture(scope='module')
def features():
    return load_benchmark('gallery-features')


def be_slow(*arguments):
    time.sleep(60)


def options(tmp_path, **changed):
    return argparse.Namespace(**dict(dict(sizes=[300], backends=['memory'], width=16, queries=5,
                                          batch=70, limit=5, text=False, threads=1,
                                          milvus_address=None, out=tmp_path), **changed))


def test_exact_neighbours_are_those_of_a_plain_loop(features):
    drawn = features.draw_features(90, 8, 4)
    for camera in (None, 3):
        found = features.exact_neighbours(drawn, drawn.texts, 5, camera)
        for query, best in zip(drawn.texts, found, strict=True):
            scores = {i: sum(float(a) * float(b) for a, b in zip(query, row, strict=True))
                      for i, row in enumerate(drawn.gallery)
                      if camera is None or i % features.CAMERAS == camera}
            assert best == set(sorted(scores, key=scores.get)[-5:])


def test_recall_is_the_share_that_was_found(features):
    assert features.recall([[1, 2], [3, 9]], [{1, 2}, {3, 4}]) == .75
    assert features.recall([[], [7, 7]], [{1, 2}, {7, 8}]) == .25


def test_drawn_people_are_clustered(features):
    rows = features.draw_features(100, 32, 1).gallery
    scores = rows @ rows.T
    people = np.arange(100) // features.VIEWS
    same = people[:, None] == people[None]
    np.fill_diagonal(same, False)
    assert scores[same].mean() > scores[people[:, None] != people[None]].mean() + .1


def test_rows_of_floor_and_gallery(search, tmp_path):
    floor, memory = search.run(options(tmp_path))
    assert floor.keys() == memory.keys() and floor['gallery'] == 'exact product'
    assert floor['bytes an entry'] == 64 and memory['bytes an entry'] > 64
    for row in (floor, memory):
        assert [row[f'{kind} recall@10'] for kind in ('image', 'text', 'filtered')] == [1.] * 3


def test_a_missing_package_is_named_and_the_others_are_measured(search, tmp_path, monkeypatch):
    find = search.find_spec
    monkeypatch.setattr(search, 'find_spec',
                        lambda name: None if name == 'lancedb' else find(name))
    rows = search.run(options(tmp_path, backends=['lance', 'memory']))
    assert rows[1]['index'] == 'left out: lancedb is missing'
    assert rows[1]['text recall@10'] == rows[1]['fill (s)'] == '-'
    assert rows[2]['text recall@10'] == 1.
    assert len({line.count('|') for line in markdown_table(rows).splitlines()}) == 1


def test_a_gallery_that_takes_too_long_is_left_out_and_nothing_of_it_stays(search, tmp_path,
                                                                           monkeypatch):
    monkeypatch.setattr(search, 'fill', be_slow)
    begin = time.monotonic()
    _, row = search.run(options(tmp_path, limit=.005))
    assert row['index'] == 'left out: over 0.005 minutes' and time.monotonic() - begin < 30


def measure_milvus(address, folder):
    """In a process of its own, as it forks: gRPC that has been used before goes wrong then."""
    return subprocess.run(
        [sys.executable, '-m', 'mmtbps', 'benchmark', 'search', '--sizes', '300', '--width', '16',
         '--queries', '5', '--threads', '1', '--backends', 'milvus', '--milvus-address', address,
         '--out', folder], capture_output=True, text=True)


def test_a_server_that_runs_already_is_measured_and_nothing_stays_on_it(tmp_path):
    pymilvus = pytest.importorskip('pymilvus')
    pytest.importorskip('milvus_lite')
    with load_benchmark('milvus-server').milvus_server(tmp_path / 'data') as (address, _):
        done = measure_milvus(f'{address}/', tmp_path)
        client = pymilvus.MilvusClient(address, grpc_options={'grpc.enable_http_proxy': 0})
        stayed = client.list_collections()
        client.close()
    assert done.returncode == 0, done.stderr
    _, row = json.loads((tmp_path / 'search.json').read_text(encoding='utf-8'))['rows']
    assert [row[f'{kind} recall@10'] for kind in ('image', 'text', 'filtered')] == [1.] * 3
    assert row['index'] == 'FLAT' and row['disk (MB)'] == row['bytes an entry'] == '-'
    assert not stayed


def test_a_server_that_does_not_answer_is_one_line(tmp_path):
    pytest.importorskip('pymilvus')
    done = measure_milvus('http://127.0.0.1:1', tmp_path)
    assert done.returncode == 1 and 'Traceback' not in done.stderr
    assert 'error: http://127.0.0.1:1/mmtbps_' in done.stderr
