"""The beginning of a gallery, its end, and what is left in its files of those who were removed."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gallery_rig import DIM, FINGERPRINT, OTHER_FINGERPRINT, draw_people, unit

from mmtbps.errors import BadValue, UserError
from mmtbps.search.galleries import (
    GalleryChanged,
    GalleryEntry,
    GalleryMismatch,
    NoGallery,
    lance,
    memory,
    open_gallery,
)

pytest_plugins = 'gallery_fixtures'  # `address` and `people`
QUERIES = unit(np.random.default_rng(99).normal(size=(3, DIM)))


def fill(gallery, numbers):
    gallery.upsert(*draw_people(numbers))


def test_an_emptied_gallery_answers(people, address):
    fill(people, range(8))
    assert people.delete(ids=[entry.id for entry in people.entries()]) == 8
    for each in (people, open_gallery(address)):
        assert each.info()['entries'] == each.count() == 0
        assert each.search(QUERIES, where={'camera': 'c1'}) == [[], [], []]
        each.optimize()


def test_a_gallery_is_there_once_something_is_in_it(people, address):
    people.optimize()
    assert people.count() == 0 and people.delete(ids=['a']) == 0
    for opening in (lambda: open_gallery(address), people.info):
        with pytest.raises(NoGallery, match='there is no gallery'):
            opening()
    other = open_gallery(address, OTHER_FINGERPRINT)  # nothing is taken yet
    fill(people, range(3))
    assert open_gallery(address).count() == 3
    with pytest.raises(GalleryMismatch):
        fill(other, range(3))


def test_a_gallery_made_anew_with_another_model_is_neither_asked_nor_changed(people, address):
    fill(people, range(8))
    replace_gallery(address, OTHER_FINGERPRINT)
    for call in (lambda: people.search(QUERIES), people.count, lambda: list(people.entries()),
                 lambda: people.get(['street/0.jpg#0']), lambda: people.delete(ids=['x']),
                 lambda: people.delete(where={'camera': 'c1'}), lambda: fill(people, range(9)),
                 people.optimize, people.info):
        with pytest.raises(GalleryChanged, match='made anew with another model: open it again'):
            call()
    assert open_gallery(address, OTHER_FINGERPRINT).count() == 5


def test_a_gallery_that_was_removed_while_it_was_open_says_so(people, address):
    fill(people, range(8))
    remove_gallery(address)
    for call in (lambda: people.search(QUERIES), people.count, people.optimize,
                 lambda: people.delete(ids=['x']), lambda: fill(people, range(9))):
        with pytest.raises(UserError, match=f'{address}.*(gone|cannot read|does not exist)'):
            call()
    with pytest.raises(NoGallery):
        open_gallery(address)


def replace_gallery(address, fingerprint):
    """Make a gallery of five people in the place of another."""
    remove_gallery(address)
    fill(open_gallery(address, fingerprint), range(5))


def remove_gallery(address):
    if address.startswith('postgresql'):
        import psycopg
        server, _, name = address.rpartition('/')
        with psycopg.connect(server) as connection:
            connection.execute(f'drop table {name}')
    elif '://' in address:
        from pymilvus import MilvusClient
        server, _, name = address.rpartition('/')
        MilvusClient(server, grpc_options={'grpc.enable_http_proxy': 0}).drop_collection(name)
    else:
        shutil.rmtree(address)


# ------------------------------------------------------------------ nothing is left of the removed
def traces_of(folder, entries, vectors):
    """Files that hold a path or an id of entries, or a feature of theirs in whole or in part."""
    marks = [text.encode() for entry in entries for text in (entry.id, entry.path, entry.sha256)
             if text]
    marks += [vector[start:start + 4].tobytes() for vector in vectors for start in (0, 8)]
    return [path.name for path in Path(folder).rglob('*') if path.is_file()
            for content in [path.read_bytes()] if any(mark in content for mark in marks)]


@pytest.mark.parametrize('name', ['people', 'people.lance'])
@pytest.mark.parametrize('indexed', [False, True])
@pytest.mark.parametrize('number', [1, 30])
def test_nothing_of_the_deleted_is_in_the_files(name, indexed, number, tmp_path, monkeypatch):
    if name.endswith('.lance'):
        pytest.importorskip('lancedb')
        monkeypatch.setattr(lance, 'INDEX_FROM', 256 if indexed else 20_000)
    folder = tmp_path / name
    gallery = open_gallery(folder, FINGERPRINT)
    people, vectors = draw_people(range(400))
    for start in range(0, 400, 100):
        gallery.upsert(people[start:start + 100], vectors[start:start + 100])
    gallery.optimize()
    assert traces_of(folder, people[7:8], vectors[7:8])  # the search can find
    gone = slice(7, 7 + number)
    if number == 1:
        gallery.delete(where={'path': people[7].path})
    else:
        gallery.delete(ids=[entry.id for entry in people[gone]])
    replaced = people[100]
    gallery.upsert([GalleryEntry(replaced.id, 'new.jpg')], vectors[:1])
    gallery.optimize()
    assert not traces_of(folder, people[gone], vectors[gone])
    assert not traces_of(folder, [GalleryEntry('none', replaced.sha256, sha256='none')],
                         vectors[100:101])
    assert gallery.count() == 400 - number
    hit = gallery.search(vectors[200:201], 1)[0][0]
    assert hit.entry == people[200] and abs(hit.score - 1) < 1e-5


@pytest.mark.parametrize('name', ['people', 'people.lance'])
@pytest.mark.parametrize('indexed', [False, True])
@pytest.mark.parametrize('gone', [range(400), range(300, 400)])
def test_nothing_is_left_where_all_of_a_file_went(name, indexed, gone, tmp_path, monkeypatch):
    """LanceDB then has no list of removed rows: they are in the index, their paths in its log."""
    if name.endswith('.lance'):
        pytest.importorskip('lancedb')
        monkeypatch.setattr(lance, 'INDEX_FROM', 256 if indexed else 20_000)
    gallery = open_gallery(tmp_path / name, FINGERPRINT)
    people, vectors = draw_people(range(400))
    for part in (slice(0, 300), slice(300, 400)):
        gallery.upsert(people[part], vectors[part])
        gallery.optimize()
    removed = [people[number] for number in gone]
    assert gallery.delete(where={'path': [entry.path for entry in removed]}) == len(removed)
    gallery.optimize()
    assert not traces_of(tmp_path / name, removed, vectors[gone.start:])
    assert gallery.count() == 400 - len(removed)


@pytest.mark.parametrize('name', ['people', 'people.lance'])
def test_a_filter_that_fits_nobody_leaves_no_trace(name, tmp_path):
    if name.endswith('.lance'):
        pytest.importorskip('lancedb')
    gallery = open_gallery(tmp_path / name, FINGERPRINT)
    fill(gallery, range(8))
    gallery.optimize()
    assert gallery.delete(where={'camera': 'Jane Doe'}) == gallery.delete(ids=['jane.jpg']) == 0
    gallery.optimize()
    assert not traces_of(tmp_path / name, [GalleryEntry('jane.jpg', 'Jane Doe')], [])


def test_a_part_that_a_kill_left_goes_when_the_gallery_is_compacted(tmp_path):
    gallery = open_gallery(tmp_path / 'people', FINGERPRINT)
    fill(gallery, range(3))
    left = tmp_path / 'people/part-0123456789abcdef.json'
    left.write_text('of somebody who was deleted')
    (tmp_path / 'people/part-0123456789abcdef.safetensors.partial').touch()
    mine = tmp_path / 'people/part-1.jpg'  # put there by somebody
    mine.touch()
    gallery.optimize()
    assert not left.exists() and mine.exists()
    assert len(list((tmp_path / 'people').glob('part-*'))) == 3


def test_a_part_that_goes_while_it_is_looked_at_is_gone_and_not_damaged(tmp_path, monkeypatch):
    """Another process has merged it: the commit is read again."""
    monkeypatch.setattr(Path, 'exists', lambda path: True)
    with pytest.raises(FileNotFoundError):
        memory.sum_of_part(tmp_path / 'part-0')


def test_an_index_is_built_without_lines_of_the_library(tmp_path):
    pytest.importorskip('lancedb')
    code = ('import numpy as np, sys\n'
            'from mmtbps.search.galleries import GalleryEntry, lance\n'
            'lance.INDEX_FROM = 256\n'
            'gallery = lance.LanceGallery(sys.argv[1], dict(model="1", dim=16))\n'
            'features = np.eye(16, dtype=np.float32)[np.arange(2000) % 3]\n'
            'gallery.upsert([GalleryEntry(str(i), f"{i}.jpg") for i in range(2000)], features)\n'
            'gallery.optimize()\n'
            'print(gallery.info()["index"])\n')
    done = subprocess.run([sys.executable, '-c', code, tmp_path / 'people.lance'],
                          capture_output=True, text=True,
                          env={**os.environ, 'PYTHONPATH': str(Path(__file__).parents[3])})
    assert done.stdout == 'IVF_SQ of 2000 entries\n' and done.stderr == ''


# ------------------------------------------------------------------ retention
def test_an_undated_video_of_an_earlier_version_is_of_no_age(people):
    """Its time was that since the start of the video; a program's rule would take it as of 1970."""
    dated = GalleryEntry('dated', 'a.mp4', time=1.6e9, frame=5, extra={'video_time': '2.500'})
    undated = GalleryEntry('undated', 'b.mp4', time=2.5, frame=5, extra={'video_time': '2.500'})
    people.upsert([dated, undated], unit(np.ones((2, DIM))))
    for age in ((None, '2024-01-31'), 2.5, [2.5, 1.6e9]):
        with pytest.raises(BadValue, match='of videos without a date.*nothing was removed'):
            people.delete(where={'time': age})
        for found in (people.entries({'time': age}),
                      [hit.entry for hit in people.search(QUERIES[:1], where={'time': age})[0]]):
            assert undated not in found
    assert people.count() == 2 and people.delete(where={'time': ('2019-01-01', None)}) == 1
    assert list(people.entries()) == [undated]
    people.upsert([replace(undated, time=None)], unit(np.ones((1, DIM))))
    with pytest.raises(BadValue, match='no entry of .* has a time'):
        people.delete(where={'time': (None, '2024-01-31')})
