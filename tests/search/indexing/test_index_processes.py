"""Indexing in processes of its own: killed at any moment, and several at a time."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from fakes import COLORS, ColorEncoder, paint

from mmtbps.search.galleries.factory import open_gallery
from mmtbps.search.indexing import IndexOptions, index_people
from mmtbps.search.media.images import read_image

ROOT = Path(__file__).resolve().parents[3]


def start(*arguments):
    """An indexer that runs."""
    return subprocess.Popen(
        [sys.executable, str(Path(__file__).parents[1] / 'index_process.py'), *map(str, arguments)],
        env=os.environ | {'PYTHONPATH': str(ROOT)})


def kill_while_indexing(uri, folder, log, delay):
    """Kill the indexer so long after its first line in the log; whether it was still running."""
    child = start(uri, folder, log)
    before = os.path.getsize(log)
    while child.poll() is None and os.path.getsize(log) == before:
        time.sleep(.001)
    time.sleep(delay)
    running = child.poll() is None
    child.kill()
    child.wait()
    return running


def acknowledged(log):
    """Paths of whole lines; the last line may be torn."""
    return {json.loads(line)['path'] for line in Path(log).read_text().split('\n')[:-1]}


def survives(uri, tmp_path, kills, images):
    folder, log, rng = tmp_path / 'many', tmp_path / 'log.jsonl', np.random.default_rng(0)
    paint_many(folder, images)
    log.touch()
    in_time = 0
    for _ in range(kills):
        in_time += kill_while_indexing(uri, folder, log, rng.uniform(0, .05))
        found = [entry.path for entry in open_gallery(uri, ColorEncoder.fingerprint).entries()]
        assert acknowledged(log) <= set(found), 'acknowledged and lost'
        assert len(found) == len(set(found)), 'there twice'
    assert in_time, 'the indexer was through before it was killed'
    gallery = open_gallery(uri, ColorEncoder.fingerprint)
    report = index_people(folder, gallery, ColorEncoder(),
                          options=IndexOptions(progress=False))
    assert report.indexed + report.unchanged == images and report.unchanged >= 4
    assert_complete(gallery, folder)
    return gallery


def paint_many(folder, images):
    rng = np.random.default_rng(0)
    folder.mkdir()
    for number in range(images):
        paint(*rng.choice(list(COLORS), 2)).save(folder / f'{number:04}.png')


def assert_complete(gallery, folder):
    """Each file is there once, with the features of its own picture."""
    entries = sorted(gallery.entries(), key=lambda entry: entry.path)
    assert [entry.path for entry in entries] == sorted(path.name for path in folder.iterdir())
    _, features = gallery.get([entry.id for entry in entries])
    expected = ColorEncoder().encode_images([read_image(folder / entry.path) for entry in entries])
    np.testing.assert_allclose(features, expected, atol=1e-6)


LANCE = pytest.param('people.lance', marks=pytest.mark.slow)


@pytest.mark.parametrize('name, kills', [('people', 3), ('people.lance', 1)])
def test_a_kill_loses_nothing_that_was_acknowledged(tmp_path, name, kills):
    if name.endswith('.lance'):
        pytest.importorskip('lancedb')
    assert survives(tmp_path / name, tmp_path, kills, images=200).count() == 200


@pytest.mark.slow
@pytest.mark.parametrize('name', ['people', 'people.lance'])
def test_twenty_kills_lose_nothing_that_was_acknowledged(tmp_path, name):
    if name.endswith('.lance'):
        pytest.importorskip('lancedb')
    assert survives(tmp_path / name, tmp_path, kills=20, images=3000).count() == 3000


@pytest.mark.parametrize('name', ['people', LANCE])
def test_processes_share_the_work_on_a_new_gallery(tmp_path, name):
    if name.endswith('.lance'):
        pytest.importorskip('lancedb')
    paint_many(tmp_path / 'many', images=60)
    children = [start(tmp_path / name, tmp_path / 'many', tmp_path / f'{part}.log', part, 3)
                for part in range(3)]
    assert [child.wait() for child in children] == [0, 0, 0]
    shares = [acknowledged(tmp_path / f'{part}.log') for part in range(3)]
    assert all(shares) and sum(map(len, shares)) == len(set().union(*shares)) == 60
    assert_complete(open_gallery(tmp_path / name, ColorEncoder.fingerprint), tmp_path / 'many')
