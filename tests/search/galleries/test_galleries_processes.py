"""Several processes at one gallery: nothing is lost, nothing comes twice, no half batch is seen."""

import os
import subprocess
from pathlib import Path

import pytest
from gallery_process import BATCH, batch_of
from gallery_rig import FINGERPRINT, process_command

from mmtbps.search.galleries import MemoryGallery, open_gallery
from mmtbps.search.galleries.provenance import write_provenance

pytest_plugins = 'gallery_fixtures'  # `postgres`
ROOT = Path(__file__).parents[3]


def start(*arguments):
    process = subprocess.Popen(
        process_command(*arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env={**os.environ, 'PYTHONPATH': str(ROOT)})
    return process


def finish(process):
    out, problems = process.communicate(timeout=120)
    assert process.returncode == 0, problems
    return out.split()


def test_a_gallery_that_another_process_begins_meanwhile_is_opened(tmp_path, monkeypatch):
    """Between the look for a gallery and the look at what lies there, origin.json included."""
    folder, listed = tmp_path / 'people', Path.iterdir

    def begin_and_list(path):
        if path == folder:
            monkeypatch.undo()
            MemoryGallery(folder, FINGERPRINT).upsert(*batch_of('a', 0))
            write_provenance(str(folder), images=tmp_path)
        return listed(path)

    folder.mkdir()
    monkeypatch.setattr(Path, 'iterdir', begin_and_list)
    assert MemoryGallery(folder, FINGERPRINT).count() == BATCH + 5
    assert (folder / 'origin.json').is_file()


@pytest.fixture(params=['people', 'people.lance', 'postgres'])
def uri(request, tmp_path):
    """Address of a gallery that several processes may use."""
    if request.param == 'postgres':
        server = request.getfixturevalue('postgres')
        return f'{server.address}/p{abs(hash(request.node.name)):x}'
    if request.param.endswith('.lance'):
        pytest.importorskip('lancedb')
    return str(tmp_path / request.param)


def test_two_writers_and_two_searchers(uri):
    batches = 12
    gallery = open_gallery(uri, FINGERPRINT)
    gallery.upsert(*batch_of('left', 0))
    searchers = [start('search', uri) for _ in range(2)]
    for searcher in searchers:
        assert searcher.stdout.readline() == 'ready\n'
    for writer in [start('write', uri, side, batches) for side in ('left', 'right')]:
        assert len(finish(writer)) == batches + 1
    for searcher in searchers:
        searches, largest = map(int, finish(searcher)[-2:])
        assert searches > 0 and largest <= 2 * batches * BATCH + 5
    found = list(gallery.entries())
    assert gallery.count() == len(found) == 2 * batches * BATCH + 5
    assert {entry.id for entry in found} == {
        entry.id for side in ('left', 'right') for number in range(batches)
        for entry in batch_of(side, number)[0]}


def test_two_processes_may_begin_one_gallery(uri):
    for writer in [start('write', uri, side, 1) for side in ('left', 'right')]:
        finish(writer)
    assert open_gallery(uri, FINGERPRINT).count() == 2 * BATCH + 5


def test_a_reader_outlives_the_merging_of_parts(tmp_path, monkeypatch):
    writer = MemoryGallery(tmp_path / 'people', FINGERPRINT)
    writer.upsert(*batch_of('a', 0))
    reader = MemoryGallery(tmp_path / 'people')
    writer.upsert(*batch_of('b', 1))
    real = reader._read_part

    def merge_first(name, *rest):
        monkeypatch.setattr(reader, '_read_part', real)
        writer.upsert(*batch_of('c', 2))
        writer.optimize()  # the part that is about to be read goes away
        real(name, *rest)

    monkeypatch.setattr(reader, '_read_part', merge_first)
    assert reader.count() == 3 * BATCH + 5
