"""A gallery survives whatever moment its writer dies at."""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
from gallery_process import BATCH, batch_of
from gallery_rig import (
    DIM,
    FINGERPRINT,
    SlowGallery,
    draw_people,
    process_command,
    same_state,
    unit,
)
from safetensors import SafetensorError

from mmtbps.errors import BadValue
from mmtbps.fileio import DiskFull, durable
from mmtbps.search.galleries import (
    GalleryChanged,
    GalleryUnreadable,
    MemoryGallery,
    memory,
    open_gallery,
)

ROOT = Path(__file__).parents[3]
QUERIES = unit(np.random.default_rng(5).normal(size=(2, DIM)))


def write_until_killed(uri, name, acknowledged, delay):
    """Kill a writer ``delay`` seconds after so many batches; gives those it called safe."""
    writer = subprocess.Popen(
        process_command('write', uri, name, 1_000_000), stdout=subprocess.PIPE, text=True,
        env={**os.environ, 'PYTHONPATH': str(ROOT)})
    safe = -1
    for line in writer.stdout:
        safe = int(line) if line.strip().isdigit() else safe
        if safe >= acknowledged:
            break
    else:
        raise AssertionError('the writer ended by itself')
    try:
        writer.wait(timeout=delay)
    except subprocess.TimeoutExpired:
        pass
    os.kill(writer.pid, signal.SIGKILL)
    for line in writer.stdout:
        safe = int(line) if line.endswith('\n') else safe
    writer.wait()
    return safe


def check_all_there(uri, safe):
    """Every row that was called safe is there, as it was; none is there twice or by half."""
    gallery = open_gallery(uri, FINGERPRINT)
    found = list(gallery.entries())
    ids = {entry.id for entry in found}
    assert len(ids) == len(found) == gallery.count()
    for name, last in safe.items():
        for number in range(last + 1):
            entries, vectors = batch_of(name, number)
            there, features = gallery.get([entry.id for entry in entries[:BATCH]])
            assert there == entries[:BATCH]
            np.testing.assert_allclose(features, vectors[:BATCH], atol=1e-6)
        whole = {entry.id.split('-')[1] for entry in found if entry.extra['by'] == name
                 and not entry.id.startswith('shared')}
        assert len(whole) <= last + 2  # at most one more than it could tell of
        assert sum(id.startswith(f'{name}-') for id in ids) == BATCH * len(whole)
    newest = list(safe)[-1]
    shared = [entry for entry in found if entry.id.startswith('shared')]
    assert len(shared) == 5 and len({entry.frame for entry in shared}) == 1
    assert shared[0].extra['by'] == newest and shared[0].frame >= safe[newest]


def kill_often(uri, times):
    draw, safe = np.random.default_rng(), {}
    for turn in range(times):
        name = f'w{turn}'
        safe[name] = write_until_killed(uri, name, draw.integers(1, 12), draw.uniform(0, .05))
        check_all_there(uri, safe)
    open_gallery(uri).optimize()
    check_all_there(uri, safe)
    return safe


@pytest.mark.parametrize('name', ['people', 'people.lance'])
@pytest.mark.parametrize('times', [2, pytest.param(20, marks=pytest.mark.slow)])
def test_kill_9_loses_nothing_that_was_safe(tmp_path, name, times):
    if name.endswith('.lance'):
        pytest.importorskip('lancedb')
    safe = kill_often(str(tmp_path / name), times)
    rows = BATCH * sum(last + 1 for last in safe.values())
    assert open_gallery(str(tmp_path / name), FINGERPRINT).count() >= rows + 5  # 5 are shared


class Killed(BaseException):
    """The process ends here; nothing is cleaned up."""


def people_gallery(folder):
    gallery, slow = MemoryGallery(folder, FINGERPRINT), SlowGallery()
    for numbers in (range(20), range(20, 30), range(5, 12)):
        for each in (gallery, slow):
            each.upsert(*draw_people(numbers))
    return gallery, slow


def die_at(monkeypatch, number, left):
    """The process dies as it is about to give a file its name, ``left`` of which is written."""
    real, calls = os.replace, []

    def replace(partial, path):
        calls.append(path)
        if len(calls) == number + 1:
            with open(partial, 'r+b') as file:
                file.truncate(int(left * os.path.getsize(partial)))
            raise Killed
        real(partial, path)

    monkeypatch.setattr(durable.os, 'replace', replace)
    return calls


CHANGES = {
    'add': lambda each: each.upsert(*draw_people(range(40, 50), seed=3)),
    'replace': lambda each: each.upsert(*draw_people(range(3, 24), seed=3)),
    'delete': lambda each: each.delete(ids=['street/7.jpg#0', 'street/25.jpg#0']),
    'filter': lambda each: each.delete(where={'camera': 'c1'})}


@pytest.mark.parametrize('change', CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize('number', range(4))
@pytest.mark.parametrize('left', [0, .5, 1])
def test_a_kill_between_files_leaves_the_old_gallery_or_the_new(
        tmp_path, monkeypatch, change, number, left):
    gallery, slow = people_gallery(tmp_path / 'people')
    with monkeypatch.context() as patch:
        calls = die_at(patch, number, left)
        if number < 3:
            with pytest.raises(Killed):
                change(gallery)
            assert not any(path.name == 'gallery.json' for path in calls[:-1])
        else:  # features, entries and the commit are there: nothing is left to die at
            change(gallery)
            change(slow)
    for reopened in (MemoryGallery(tmp_path / 'people'), gallery):
        same_state(reopened, slow, QUERIES, [None, {'camera': 'c1'}])
    for each in (gallery, slow):
        each.upsert(*draw_people(range(60, 62)))
    same_state(MemoryGallery(tmp_path / 'people'), slow, QUERIES, [None])
    listed = json.loads((tmp_path / 'people/gallery.json').read_text())['parts']
    assert sorted(path.name for path in (tmp_path / 'people').iterdir()) == sorted(
        ['.lock', 'gallery.json', *(f'{part}{end}' for part in listed
                                    for end in ('.json', '.safetensors'))])


def test_a_kill_while_old_parts_are_removed_leaves_the_new_gallery(tmp_path, monkeypatch):
    gallery, slow = people_gallery(tmp_path / 'people')
    with monkeypatch.context() as patch:
        def unlink(*args, **kwargs):
            raise Killed
        patch.setattr(Path, 'unlink', unlink)
        with pytest.raises(Killed):
            CHANGES['replace'](gallery)
    CHANGES['replace'](slow)
    for reopened in (MemoryGallery(tmp_path / 'people'), gallery):
        same_state(reopened, slow, QUERIES, [None])


def test_a_full_disk_leaves_the_gallery_as_it_was(tmp_path, monkeypatch):
    gallery, slow = people_gallery(tmp_path / 'people')
    with monkeypatch.context() as patch:
        def fsync(descriptor):
            raise OSError(28, 'No space left on device')
        patch.setattr(durable.os, 'fsync', fsync)
        with pytest.raises(OSError, match='the disk is full'):
            CHANGES['add'](gallery)
    assert not list((tmp_path / 'people').glob('*.partial'))
    same_state(gallery, slow, QUERIES, [None])


@pytest.mark.parametrize('end', ['.json', '.safetensors'])
@pytest.mark.parametrize('left', [0, .9])
def test_damage_of_a_part_is_named(tmp_path, end, left):
    people_gallery(tmp_path / 'people')
    path = next((tmp_path / 'people').glob(f'part-*{end}'))
    os.truncate(path, int(left * path.stat().st_size))
    with pytest.raises(ValueError, match=f'{path.stem}.*: damaged .*from a backup'):
        MemoryGallery(tmp_path / 'people').count()


@pytest.mark.parametrize('end', ['.json', '.safetensors'])
def test_a_part_that_is_gone_is_named(tmp_path, end):
    people_gallery(tmp_path / 'people')
    path = next((tmp_path / 'people').glob(f'part-*{end}'))
    path.unlink()
    with pytest.raises(GalleryUnreadable, match=f'gone .*{path.name}.*from a backup') as gone:
        open_gallery(tmp_path / 'people').count()
    assert isinstance(gone.value, FileNotFoundError)


@pytest.mark.parametrize('damage', ['truncated', 'gone', 'a file'])
def test_a_damaged_table_is_named(tmp_path, damage):
    pytest.importorskip('lancedb')
    uri = tmp_path / 'people.lance'
    open_gallery(uri, FINGERPRINT).upsert(*batch_of('a', 0))
    if damage == 'a file':
        shutil.rmtree(uri)
        uri.write_text('no folder')
    for path in uri.glob('data/*'):
        content = path.read_bytes()
        path.unlink()
        if damage == 'truncated':
            path.write_bytes(content[:len(content) // 2])
    with pytest.raises(GalleryUnreadable, match=f'{uri}: LanceDB cannot read or write it') as bad:
        open_gallery(uri).search(QUERIES)
    assert '.rs:' not in str(bad.value), 'a line of the source of LanceDB helps nobody'


def test_a_full_disk_is_not_taken_for_damage(tmp_path, monkeypatch):
    pytest.importorskip('lancedb')
    uri = tmp_path / 'people.lance'
    gallery = open_gallery(uri, FINGERPRINT)
    monkeypatch.setattr(gallery, '_writing', die_of(RuntimeError(
        'lance error: LanceError(IO): No space left on device (os error 28), /root/x.rs:1:2')))
    with pytest.raises(DiskFull, match=f'{uri}: the disk is full; .* are free in {tmp_path}'):
        gallery.upsert(*batch_of('a', 0))
    gallery = MemoryGallery(tmp_path / 'people', FINGERPRINT)
    monkeypatch.setattr(memory, 'save_file', die_of(SafetensorError(
        'Error while serializing: I/O error: No space left on device (os error 28)')))
    with pytest.raises(DiskFull, match=r'\.safetensors: the disk is full'):
        gallery.upsert(*batch_of('a', 0))
    assert gallery.count() == 0


def test_an_address_that_lance_does_not_know_is_named():
    pytest.importorskip('lancedb')
    with pytest.raises(BadValue, match='foo://x/y.lance: no address of LanceDB'):
        open_gallery('foo://x/y.lance')


def test_a_fault_of_the_program_is_not_taken_for_damage(tmp_path, monkeypatch):
    pytest.importorskip('lancedb')
    gallery = open_gallery(tmp_path / 'people.lance', FINGERPRINT)
    gallery.upsert(*draw_people(range(3)))
    monkeypatch.setattr(gallery, '_query', die_of(error := RuntimeError('a fault of ours')))
    with pytest.raises(RuntimeError) as raised:
        gallery.search(QUERIES)
    assert raised.value is error


def die_of(error):
    """A function that raises."""
    def die(*_):
        raise error

    return die


@pytest.mark.parametrize('content, message', [
    (b'', 'is no gallery of mmtbps'), (b'{"images": []}', 'is no gallery of mmtbps'),
    (b'{"schema": "mmtbps.gallery/2", "parts": [], "fingerprint": {}}', 'this version reads')])
def test_a_commit_file_of_another_kind_is_refused(tmp_path, content, message):
    (tmp_path / 'gallery.json').write_bytes(content)
    with pytest.raises(ValueError, match=message):
        MemoryGallery(tmp_path, FINGERPRINT)


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / 'holiday.jpg').touch()
    with pytest.raises(ValueError, match='other files and no gallery'):
        MemoryGallery(tmp_path, FINGERPRINT)
    assert [path.name for path in tmp_path.iterdir()] == ['holiday.jpg']


def test_a_gallery_made_anew_is_not_taken_for_the_old(tmp_path):
    gallery, _ = people_gallery(tmp_path / 'people')
    shutil.rmtree(tmp_path / 'people')
    again = MemoryGallery(tmp_path / 'people', FINGERPRINT)
    again.upsert(*draw_people(range(3)))
    assert gallery.count() == 3
    shutil.rmtree(tmp_path / 'people')
    MemoryGallery(tmp_path / 'people', dict(FINGERPRINT, model='new')).upsert(
        *draw_people(range(3)))
    with pytest.raises(GalleryChanged, match='made anew'):
        gallery.count()


def test_many_small_calls_make_few_parts(tmp_path):
    gallery = MemoryGallery(tmp_path / 'people', FINGERPRINT)
    for number in range(100):
        gallery.upsert(*draw_people([number]))
        assert len(list((tmp_path / 'people').glob('*.safetensors'))) <= 7  # log2 of 100
    gallery.optimize()
    assert len(list((tmp_path / 'people').glob('*.safetensors'))) == 1
    assert MemoryGallery(tmp_path / 'people').count() == 100
