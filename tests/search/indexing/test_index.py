"""Indexing: every file once, nothing twice, and what changed and nothing else."""

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes import ColorEncoder, paint, paint_folder
from indexing_rig import Counting, Halves, couple, first, index, paths

from mmtbps.search.galleries.base import GalleryMismatch
from mmtbps.search.galleries.factory import open_gallery
from mmtbps.search.indexing import writer
from mmtbps.search.indexing.metadata import Metadata


def test_each_crop_is_found_by_its_words(crops, gallery):
    report = index(crops, gallery)
    assert (report.indexed, report.unchanged, report.skipped) == (6, 0, [])
    for name in ('red.png', 'blue.png', 'red-blue.png', 'c2/green.png', 'c2/yellow.png'):
        hit = first(gallery, Path(name).stem.replace('-', ' '))
        assert hit.entry.path == name and hit.score == pytest.approx(1, abs=1e-5)
        data = (crops / name).read_bytes()
        assert (hit.entry.size, hit.entry.sha256) == (len(data), hashlib.sha256(data).hexdigest())


def test_a_second_run_encodes_nothing(crops, gallery):
    index(crops, gallery)
    before = sorted(gallery.entries(), key=lambda entry: entry.id)
    os.utime(crops / 'red.png', (1, 1))      # the content decides, not the date
    encoder = Counting()
    report = index(crops, gallery, encoder)
    assert (encoder.batches, report.indexed, report.unchanged) == ([], 0, 6)
    assert sorted(gallery.entries(), key=lambda entry: entry.id) == before


def test_a_changed_file_replaces_its_entry(crops, gallery):
    index(crops, gallery)
    old = first(gallery, 'red').entry
    paint('purple').save(crops / 'red.png')
    encoder = Counting()
    report = index(crops, gallery, encoder)
    assert (encoder.batches, report.indexed, report.unchanged, report.removed) == ([1], 1, 5, 0)
    assert report.replaced == 1 and '1 replaced' in str(report)
    new = first(gallery, 'purple').entry
    assert new.id == old.id and new.path == 'red.png' and new.sha256 != old.sha256
    assert gallery.count() == 6


def test_broken_files_are_listed_and_skipped(crops, gallery, tmp_path):
    (crops / 'broken.jpg').write_bytes(b'\xff\xd8\xff')
    (crops / 'empty.png').touch()
    with open(crops / 'huge.png', 'wb') as file:
        file.truncate(100 * 2**20)
    (crops / 'link.png').symlink_to('/etc/passwd')
    report = index(crops, gallery, log=tmp_path / 'log.jsonl')
    assert report.indexed == gallery.count() == 6
    reasons = dict(report.skipped)
    assert sorted(reasons) == ['broken.jpg', 'empty.png', 'huge.png', 'link.png']
    assert reasons['huge.png'] == 'larger than 50 MiB' and all(reasons.values())
    lines = [json.loads(line) for line in (tmp_path / 'log.jsonl').read_text().splitlines()]
    assert {line['path']: line['skipped'] for line in lines if 'skipped' in line} == reasons
    assert {line['path']: line['sha256'] for line in lines if 'sha256' in line} == {
        entry.path: entry.sha256 for entry in gallery.entries()}


def test_metadata_is_kept_until_something_else_is_said(crops, gallery):
    table = {'red.png': Metadata(5., 'c1', 't1', {'coat': 'red'}), 'gone.png': Metadata(),
             '../../etc/passwd': Metadata()}
    assert index(crops, gallery, metadata=table).unknown == ['gone.png', '../../etc/passwd']
    entry = first(gallery, 'red').entry
    assert (entry.camera, entry.time, entry.track, entry.extra) == ('c1', 5., 't1', {'coat': 'red'})

    encoder = Counting()
    report = index(crops, gallery, encoder, metadata={'red.png': Metadata(camera='c9'),
                                                      'blue.png': Metadata()})
    assert (encoder.batches, report.updated, report.unchanged) == ([], 1, 6)
    assert report.cleared == 3 and '3 values removed' in str(report)
    entry = first(gallery, 'red').entry
    assert (entry.camera, entry.time, entry.track, entry.extra) == ('c9', None, None, {})


def test_a_new_picture_under_an_old_name_has_the_camera_alone(crops, gallery):
    index(crops, gallery, metadata={
        'red.png': Metadata(5., 'c1', 't1', {'coat': 'red', 'name': 'Ms A'}),
        'blue.png': Metadata(6., 'c1', 't2'), 'c2/green.png': Metadata(camera='c2')})
    for name in ('red', 'blue', 'c2/green', 'c2/yellow'):
        paint('purple').save(crops / f'{name}.png')
    row = Metadata(extra={'coat': 'purple'}, said=frozenset({'coat'}))
    report = index(crops, gallery, metadata={'blue.png': row})
    known = {entry.path: (entry.camera, entry.time, entry.track, entry.extra)
             for entry in gallery.entries()}
    assert known['red.png'] == ('c1', None, None, {})
    assert known['blue.png'] == ('c1', None, None, {'coat': 'purple'})
    assert known['c2/green.png'] == ('c2', None, None, {})
    assert (report.replaced, report.forgotten) == (4, 1)
    assert '1 without their former metadata' in str(report)


def test_a_table_of_one_more_column_leaves_the_others(crops, gallery):
    index(crops, gallery, metadata={'red.png': Metadata(5., 'c1', 't1', {'coat': 'red'}),
                                    'blue.png': Metadata(6., 'c2', extra={'bag': 'black'})})
    said = frozenset({'bag', 'camera'})
    report = index(crops, gallery, metadata={
        'red.png': Metadata(camera='c9', extra={'bag': 'blue'}, said=said),
        'blue.png': Metadata(camera='c2', said=said)})
    known = {entry.path: (entry.camera, entry.time, entry.track, entry.extra)
             for entry in gallery.entries()}
    assert known['red.png'] == ('c9', 5., 't1', {'coat': 'red', 'bag': 'blue'})
    assert known['blue.png'] == ('c2', 6., None, {})
    assert (report.updated, report.cleared) == (2, 1)


def test_who_is_deleted_while_a_folder_is_indexed_stays_so(crops, gallery):
    """The metadata of the others are stored all the same."""
    index(crops, gallery)
    known = {path: Metadata(camera='c1') for path in paths(gallery)}
    paint('white').save(crops / 'z.png')

    class Slow(Counting):
        def encode_images(self, images):
            gallery.delete(where={'path': 'red.png'})
            return super().encode_images(images)

    index(crops, gallery, Slow(), metadata=known)
    cameras = {entry.path: entry.camera for entry in gallery.entries()}
    assert cameras == {**{path: 'c1' for path in known if path != 'red.png'}, 'z.png': None}


def test_shards_are_disjoint_and_complete(crops, tmp_path):
    taken = []
    for part in range(3):
        shard = open_gallery(tmp_path / f'part{part}', ColorEncoder.fingerprint)
        index(crops, shard, shard=(part, 3))
        taken += paths(shard)
    whole = open_gallery(tmp_path / 'whole', ColorEncoder.fingerprint)
    index(crops, whole)
    assert sorted(taken) == paths(whole) and len(set(taken)) == 6
    with pytest.raises(ValueError, match='shard 3 of 3'):
        index(crops, whole, shard=(3, 3))


def test_a_gallery_of_another_model_is_refused(crops, gallery):
    index(crops, gallery)

    class Other(ColorEncoder):
        fingerprint = dict(ColorEncoder.fingerprint, model='1' * 64)

    with pytest.raises(GalleryMismatch, match='another model'):
        index(crops, gallery, Other())


@pytest.mark.parametrize('batch_size, commit_every, batches, commits', [
    (4, 4, [4, 2], 2), (4, 512, [4, 2], 1), (64, 1, [1] * 6, 6), (2, 3, [2, 1, 2, 1], 2)])
def test_batches_and_commits(crops, gallery, monkeypatch, batch_size, commit_every, batches,
                             commits):
    stored = []
    upsert = gallery.upsert
    monkeypatch.setattr(gallery, 'upsert', lambda entries, vectors: (
        stored.append(len(entries)), upsert(entries, vectors)))
    encoder = Counting()
    index(crops, gallery, encoder, batch_size=batch_size, commit_every=commit_every)
    assert encoder.batches == batches and len(stored) == commits and sum(stored) == 6
    assert first(gallery, 'red blue').entry.path == 'red-blue.png'


def test_large_pictures_make_small_batches(crops, gallery, monkeypatch):
    monkeypatch.setattr(writer, 'BATCH_PIXELS', 3 * 8 * 16)
    encoder = Counting()
    index(crops, gallery, encoder)
    assert encoder.batches == [3, 3]


def test_a_run_that_is_interrupted_goes_on(crops, gallery):
    with pytest.raises(KeyboardInterrupt):
        index(crops, gallery, Counting(stop_at=3), batch_size=2, commit_every=2)
    assert gallery.count() == 4
    encoder = Counting()
    report = index(crops, gallery, encoder)
    assert (report.unchanged, encoder.batches, gallery.count()) == (4, [2], 6)


# ------------------------------------------------------------------ people in photographs
def test_people_in_photographs_are_found_with_their_boxes(photographs, gallery):
    (photographs / 'broken.png').write_bytes(b'no')
    report = index(photographs, gallery, detector=Halves(),
                   metadata={'a.png': Metadata(5., 'c1', 'no', {'floor': '1'})})
    assert (report.indexed, [path for path, _ in report.skipped]) == (4, ['broken.png'])
    hit = first(gallery, 'blue')
    assert (hit.entry.path, hit.entry.box) == ('a.png', (16, 0, 32, 16)) and hit.score > .999
    assert (hit.entry.camera, hit.entry.time, hit.entry.track) == ('c1', 5., None)
    assert hit.entry.extra == {'floor': '1', 'detection_score': '0.800'}
    encoder = Counting()
    assert index(photographs, gallery, encoder, detector=Halves()).unchanged == 2
    assert encoder.batches == []


def test_a_changed_photograph_replaces_all_of_its_people(photographs, gallery):
    index(photographs, gallery, detector=Halves())
    couple('purple', 'orange').resize((64, 32)).save(photographs / 'a.png')
    paint('white').save(photographs / 'b.png')
    report = index(photographs, gallery, detector=Halves())
    assert (report.indexed, report.removed, gallery.count()) == (2, 4, 2)
    assert first(gallery, 'purple').entry.box == (0, 0, 32, 32)


def test_a_video_has_a_beginning(tmp_path, gallery):
    cv2 = pytest.importorskip('cv2')
    (tmp_path / 'videos').mkdir()
    writer = cv2.VideoWriter(str(tmp_path / 'videos/a.avi'), cv2.VideoWriter_fourcc(*'MJPG'), 10,
                             (64, 32))
    for number in range(30):
        colors = ('red', 'blue') if number < 15 else ('green', 'yellow')
        writer.write(np.asarray(couple(*colors).resize((64, 32)))[..., ::-1].copy())
    writer.release()
    table = {'a.avi': Metadata(1000., 'c1')}
    index(tmp_path / 'videos', gallery, detector=Halves(), every=1, metadata=table)
    people = sorted((entry.frame, entry.time, entry.box[0]) for entry in gallery.entries())
    assert people == [(0, 1000., 0), (0, 1000., 32), (10, 1001., 0), (10, 1001., 32),
                      (20, 1002., 0), (20, 1002., 32)]
    assert first(gallery, 'green').entry.frame == 20
    assert first(gallery, 'green').entry.extra['video_time'] == '2.000'
    encoder = Counting()
    table['a.avi'] = Metadata(500., 'c1')
    report = index(tmp_path / 'videos', gallery, encoder, detector=Halves(), metadata=table)
    assert (encoder.batches, report.updated) == ([], 1)
    assert sorted({entry.time for entry in gallery.entries()}) == [500., 501., 502.]
    table['a.avi'] = Metadata(None, 'c1')
    index(tmp_path / 'videos', gallery, detector=Halves(), metadata=table)
    assert {entry.time for entry in gallery.entries()} == {None}
    assert not list(gallery.entries({'time': (None, 1e9)}))  # as a rule of retention asks


def test_times_of_undated_videos_of_earlier_versions_become_unknown(tmp_path, gallery):
    folder = paint_folder(tmp_path / 'crops', 'red', 'blue')
    index(folder, gallery)
    entries, vectors = gallery.get([entry.id for entry in gallery.entries()])
    offsets = {'red.png': (2.5, '2.500'), 'blue.png': (1002.5, '2.500')}
    gallery.upsert([replace(entry, box=(0, 0, 8, 16), frame=25, time=offsets[entry.path][0],
                            extra={'video_time': offsets[entry.path][1], 'coat': 'x'})
                    for entry in entries], vectors)
    (tmp_path / 'people/origin.json').unlink()
    report = index(folder, gallery, detector=Halves())
    assert (report.unchanged, report.updated, report.cleared) == (2, 1, 0)
    assert {entry.path: entry.time for entry in gallery.entries()} == {
        'red.png': None, 'blue.png': 1002.5}
    assert all(entry.extra['coat'] == 'x' for entry in gallery.entries())
