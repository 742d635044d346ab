"""Files that the gallery knows are not read again, and those that change meanwhile not believed."""

import json
import os
import shutil

import numpy as np
import pytest
from fakes import paint, paint_folder
from indexing_rig import index
from PIL import Image

from mmtbps.errors import UserError
from mmtbps.search.indexing import reading
from mmtbps.search.media.base import Detection


@pytest.fixture
def crops(tmp_path):
    return paint_folder(tmp_path / 'crops', 'red', 'blue')


@pytest.fixture
def read(monkeypatch):
    """Names of the crops that were read."""
    names, read_bytes = [], reading.read_bytes
    monkeypatch.setattr(reading, 'read_bytes',
                        lambda path: names.append(path.name) or read_bytes(path))
    return names


def test_a_known_file_is_not_read_again(crops, gallery, read):
    index(crops, gallery)
    assert sorted(read) == ['blue.png', 'red.png']
    read.clear()
    assert index(crops, gallery).unchanged == 2 and not read
    os.utime(crops / 'red.png', (1, 1))
    assert index(crops, gallery).unchanged == 2 and read == ['red.png']
    read.clear()
    assert index(crops, gallery).unchanged == 2 and not read, 'the new time was not noted'


def test_another_content_of_the_same_size_and_time_is_found_by_rehash(crops, gallery, read):
    paint('green').save(crops / 'red.bmp')
    index(crops, gallery)
    before = (crops / 'red.bmp').stat()
    paint('purple').save(crops / 'red.bmp')
    os.utime(crops / 'red.bmp', ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (crops / 'red.bmp').stat().st_size == before.st_size
    assert index(crops, gallery).indexed == 0
    assert index(crops, gallery, rehash=True).indexed == 1
    assert len(read) == 6


def test_the_same_size_at_another_time_is_another_file(crops, gallery):
    paint('green').save(crops / 'ring.bmp')
    index(crops, gallery)
    before = (crops / 'ring.bmp').stat()
    paint('purple').save(crops / 'ring.bmp')
    os.utime(crops / 'ring.bmp', ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert index(crops, gallery).indexed == 1


def test_a_gallery_without_times_gets_them(crops, gallery, read, tmp_path):
    """Galleries of version 0.1 noted size and hash only."""
    index(crops, gallery)
    entries = list(gallery.entries())
    _, features = gallery.get([entry.id for entry in entries])
    old = [type(entry).from_json({key: value for key, value in entry.to_json().items()
                                  if key != 'mtime_ns'}) for entry in entries]
    assert all(entry.mtime_ns is None for entry in old)
    gallery.upsert(old, features)
    read.clear()
    report = index(crops, gallery)
    assert (report.unchanged, report.updated, len(read)) == (2, 0, 2)
    assert index(crops, gallery).unchanged == 2 and len(read) == 2
    assert {entry.path: entry.mtime_ns for entry in gallery.entries()} == {
        path.name: path.stat().st_mtime_ns for path in crops.iterdir()}


def test_a_jpeg_without_its_last_bytes_is_taken_with_a_note(crops, gallery):
    pixels = np.random.default_rng(0).integers(0, 256, (96, 64, 3), np.uint8)
    Image.fromarray(pixels).save(crops / 'short.jpg')
    (crops / 'short.jpg').write_bytes((crops / 'short.jpg').read_bytes()[:-20])
    report = index(crops, gallery)
    assert (report.indexed, report.skipped) == (3, [])
    assert report.notes == [('short.jpg', 'its last bytes are missing; it was read without them')]
    assert str(report) == '3 indexed, 0 unchanged, 1 with a note'


def test_notes_of_a_detector_run_are_in_its_report(tmp_path, gallery):
    pytest.importorskip('cv2')
    from videos import break_frames, gray_frames, write_video
    (tmp_path / 'in').mkdir()
    break_frames(write_video(tmp_path / 'in/a.avi', gray_frames(12)), [3])
    other = write_video(tmp_path / 'other.avi', gray_frames(2))
    report = index(tmp_path / 'in', gallery,
                   detector=Replacing(tmp_path / 'aside.avi', other))
    assert report.notes == [('a.avi', '1 broken frames left out, ends 0.0 s too early')]
    assert report.indexed == gallery.count() == 2


def test_pictures_of_other_kinds_are_counted_and_named(crops, gallery):
    for name in ('raw.CR2', 'raw.dng', 'drawing.svg', 'walk.mp4', 'walk.MTS', 'notes.txt',
                 '.hidden.nef'):
        (crops / name).write_bytes(b'x')
    (crops / 'broken.heic').write_bytes(b'\0\0\0\x18ftypheic')
    report = index(crops, gallery)
    reasons = dict(report.skipped)
    assert report.indexed == 2
    assert sorted(reasons) == ['broken.heic', 'drawing.svg', 'raw.CR2', 'raw.dng', 'walk.MTS']
    assert reasons['raw.CR2'] == 'pictures of this kind are not read'
    assert reasons['walk.MTS'] == 'videos of this kind are not read'
    assert report.videos == ['walk.mp4']
    (crops / 'walk.mp4').unlink()
    for name in ('red.png', 'blue.png', 'broken.heic'):
        (crops / name).unlink()
    with pytest.raises(UserError, match='no file to index below it .*; 4 others, such as .*: '):
        index(crops, gallery)


class Replacing:
    """A detector of whole pictures; while it looks at the first one, the second is replaced."""

    batch_size = 1

    def __init__(self, place, new):
        self.place, self.new = place, new

    def __call__(self, images):
        shutil.copy(self.new, self.place)
        return [[Detection((0, 0, *image.size), .9)] for image in images]


def test_a_file_that_is_replaced_before_its_turn_is_not_acknowledged(tmp_path, gallery):
    folder = paint_folder(tmp_path / 'crops', 'black', 'red')
    paint('green', 'blue').save(tmp_path / 'new.png')
    replacing = Replacing(folder / 'red.png', tmp_path / 'new.png')
    report = index(folder, gallery, detector=replacing, log=tmp_path / 'log.jsonl')
    assert [path for path, _ in report.skipped] == ['red.png']
    assert 'changed while it was read' in report.skipped[0][1]
    assert [entry.path for entry in gallery.entries()] == ['black.png']
    lines = [json.loads(line) for line in (tmp_path / 'log.jsonl').read_text().splitlines()]
    assert [line['path'] for line in lines if 'sha256' in line] == ['black.png']
    replacing.place = tmp_path / 'elsewhere.png'
    assert index(folder, gallery, detector=replacing).indexed == 1
