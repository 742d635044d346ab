"""Tables of metadata: what they say, and where they are wrong."""

import shutil
import unicodedata

import pytest
from fakes import ColorEncoder, paint, paint_folder
from indexing_rig import index

from mmtbps.search.galleries.base import GalleryEntry
from mmtbps.search.galleries.factory import open_gallery
from mmtbps.search.indexing.metadata import (
    Metadata,
    MetadataError,
    describe,
    known_of,
    merge,
    read_metadata,
)

CSV = ('path,camera,time,track,coat\n'
       'a/1.jpg,c1,2024-05-01T02:00:00+02:00,t1,red\n'
       '"b,2.jpg", c2 ,100.5,,\n'
       './c.jpg,,,,"dark ""navy"""\n')
JSONL = ('{"path": "a/1.jpg", "camera": "c1", "time": "2024-05-01", "track": "t1", "coat": "red"}\n'
         '\n'
         '{"path": "b,2.jpg", "camera": "c2", "time": 100.5, "coat": null}\n'
         '{"path": "c.jpg", "coat": "dark \\"navy\\""}\n')
SAID = {'a/1.jpg': Metadata(1714521600., 'c1', 't1', {'coat': 'red'}),  # by `date -u -d 2024-05-01`
        'b,2.jpg': Metadata(100.5, 'c2', None, {}),
        'c.jpg': Metadata(None, None, None, {'coat': 'dark "navy"'})}


@pytest.mark.parametrize('name, text', [('m.csv', CSV), ('m.csv', '\ufeff' + CSV),
                                        ('m.CSV', CSV.replace('\n', '\r\n')), ('m.jsonl', JSONL),
                                        ('m.ndjson', JSONL)])
def test_both_kinds_of_table_say_the_same(tmp_path, name, text):
    (tmp_path / name).write_bytes(text.encode())
    assert read_metadata(tmp_path / name) == SAID


@pytest.mark.parametrize('name, text, said', [
    ('m.csv', CSV, {'path', 'camera', 'time', 'track', 'coat'}),
    ('m.jsonl', JSONL, {'path', 'camera', 'time', 'coat'})])
def test_a_row_tells_an_empty_key_from_one_it_does_not_have(tmp_path, name, text, said):
    (tmp_path / name).write_text(text)
    row = read_metadata(tmp_path / name)['b,2.jpg']
    assert row.said == said
    known = merge(Metadata(1., 'c1', 't1', {'coat': 'red', 'bag': 'blue'}), row)
    track = None if 'track' in said else 't1'
    assert known == Metadata(100.5, 'c2', track, {'bag': 'blue'})


def test_a_number_is_as_good_as_a_text(tmp_path):
    (tmp_path / 'm.jsonl').write_text('{"path": "a.jpg", "camera": 3, "floor": -1.5}')
    assert read_metadata(tmp_path / 'm.jsonl') == {'a.jpg': Metadata(None, '3', None,
                                                                     {'floor': '-1.5'})}


@pytest.mark.parametrize('name, text, message', [
    ('m.csv', 'path,time\na.jpg,1\nb.jpg,yesterday\n', "m.csv:3: time 'yesterday'"),
    ('m.csv', 'path\na.jpg\nb.jpg\n./a.jpg\n', "m.csv:4: 'a.jpg' is in line 2 already"),
    ('m.csv', 'path,camera\na.jpg\n', 'm.csv:2: the header has 2 columns'),
    ('m.csv', 'path,camera\na.jpg,1,2\n', 'm.csv:2: the header has 2 columns'),
    ('m.csv', 'file,camera\na.jpg,1\n', "m.csv:1: no column 'path' .columns: file, camera"),
    ('m.csv', '', "m.csv:1: no column 'path'"),
    ('m.csv', 'path,coat,coat\na.jpg,1,1\n', "m.csv:1: column 'coat' is there twice"),
    ('m.csv', 'path,camera\n,c1\n', "m.csv:2: no 'path'"),
    ('m.csv', 'path\n"a.jpg\n', 'm.csv:.: broken CSV'),
    ('m.csv', 'path,sha256\na.jpg,0\n', "m.csv:2: 'sha256' is no filter key"),
    ('m.csv', 'path,frame\na.jpg,0\n', "m.csv:2: the index finds 'frame' itself"),
    ('m.csv', "path,x' OR '1'='1\na.jpg,0\n", 'm.csv:2: .* is no name'),
    ('m.jsonl', '{"path": "a.jpg"}\n{"path"\n', 'm.jsonl:2: broken JSON'),
    ('m.jsonl', '["a.jpg"]\n', 'm.jsonl:1: expected an object'),
    ('m.jsonl', '{"path": "a.jpg", "coat": ["red"]}\n', "m.jsonl:1: 'coat' must be a text"),
    ('m.jsonl', '{"path": "a.jpg", "time": NaN}\n', "m.jsonl:1: 'time' must be a text or a number"),
    ('m.jsonl', '{"path": "a.jpg", "time": true}\n', "m.jsonl:1: 'time' must be a text"),
    ('m.jsonl', '{"path": "\\ud800.jpg"}\n', "m.jsonl:1: 'path' is no valid Unicode"),
    ('m.jsonl', '[' * 100_000, 'm.jsonl:1: broken JSON'),
    ('m.txt', 'path\na.jpg\n', 'm.txt: a table of metadata is .csv or .jsonl'),
])
def test_an_error_names_file_and_line(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(MetadataError, match=message):
        read_metadata(tmp_path / name)


def test_another_encoding_is_an_error_and_no_nonsense(tmp_path):
    (tmp_path / 'm.csv').write_bytes('path,place\na.jpg,Köln\n'.encode('latin-1'))
    with pytest.raises(MetadataError, match='m.csv: not in UTF-8'):
        read_metadata(tmp_path / 'm.csv')


def test_what_a_crop_had_is_replaced():
    old = GalleryEntry('1', 'a.jpg', 5, 'f0', 'c1', 7., 't1', extra={'coat': 'red'})
    new = describe(old, Metadata(9., None, 't2', {'bag': 'blue'}))
    assert new == GalleryEntry('1', 'a.jpg', 5, 'f0', None, 9., 't2', extra={'bag': 'blue'})


@pytest.mark.parametrize('begins, time', [(None, None), (1000., 1002.5)])
def test_a_person_in_a_video_keeps_what_was_found(begins, time):
    found = GalleryEntry('1', 'a.mp4', frame=75, box=(0, 0, 9, 9), track='a.mp4#3', extra={
        'detection_score': '0.9', 'video_time': '2.500', 'coat': 'red'})
    new = describe(found, Metadata(begins, 'c1', 'ignored', {'floor': '1'}))
    assert (new.time, new.camera, new.track, new.frame) == (time, 'c1', 'a.mp4#3', 75)
    assert new.extra == {'floor': '1', 'detection_score': '0.9', 'video_time': '2.500'}
    assert describe(new, known_of(new)) == new


def test_a_table_names_a_key_of_a_crop_as_a_detector_would():
    """As one does that another detector wrote: it is kept by a table that does not have it."""
    table = Metadata(1000., extra={'video_time': '00:02', 'detection_score': '0.7'})
    crop = describe(GalleryEntry('1', 'a.jpg'), table)
    assert known_of(crop) == table
    assert describe(crop, merge(known_of(crop), Metadata(said=frozenset({'path'})))) == crop


def test_a_table_gives_no_key_that_a_detector_finds():
    found = GalleryEntry('1', 'a.jpg', box=(0, 0, 9, 9), extra={'detection_score': '0.9'})
    new = describe(found, Metadata(extra={'first_seen': '1.00', 'detection_score': '1'}))
    assert new == found == describe(new, known_of(new))


@pytest.mark.parametrize('offset', ['soon', '00:02', 'nan', 'inf', ''])
def test_a_place_in_a_video_that_is_no_number_moves_no_time(offset):
    odd = GalleryEntry('1', 'a.mp4', time=7., frame=1, box=(0, 0, 9, 9),
                       extra={'video_time': offset})
    assert known_of(odd).time == 7. and describe(odd, Metadata(9.)).time == 9.


def test_a_file_that_moved_keeps_what_is_known_of_it(tmp_path):
    folder = paint_folder(tmp_path / 'crops', 'red', 'blue', 'green')
    gallery = open_gallery(tmp_path / 'people', ColorEncoder.fingerprint)
    known = Metadata(9., 'c1', 't1', {'coat': 'red'})
    index(folder, gallery, metadata={'red.png': known, 'blue.png': Metadata(camera='c2')})
    (folder / '2024').mkdir()
    (folder / 'red.png').rename(folder / '2024/RED.png')
    shutil.copy(folder / 'blue.png', folder / 'copy.png')
    (folder / 'green.png').rename(folder / 'grass.png')
    report = index(folder, gallery, prune=True, prune_most=True,
                   metadata={'grass.png': Metadata(camera='c3')})
    assert (report.indexed, report.removed) == (3, 2)
    facts = {entry.path: known_of(entry) for entry in gallery.entries()}
    assert facts == {'2024/RED.png': known, 'blue.png': Metadata(camera='c2'),
                     'copy.png': Metadata(), 'grass.png': Metadata(camera='c3')}


def test_rows_that_spell_a_file_otherwise_are_its(tmp_path):
    (name, typed) = (unicodedata.normalize(form, 'Müller.png') for form in ('NFD', 'NFC'))
    folder = paint_folder(tmp_path / 'crops', 'red')
    for path in (folder / name, folder / 'lobby/b.png', folder / 'lobby/B2.PNG'):
        path.parent.mkdir(exist_ok=True)
        paint('blue').save(path)
    gallery = open_gallery(tmp_path / 'people', ColorEncoder.fingerprint)
    report = index(folder, gallery, metadata={
        typed: Metadata(camera='c1'), 'lobby\\b.png': Metadata(camera='c2'),
        str(folder / 'red.png'): Metadata(camera='c3'), 'lobby/b2.png': Metadata(camera='c4')})
    assert {entry.path: entry.camera for entry in gallery.entries()} == {
        name: 'c1', 'lobby/b.png': 'c2', 'red.png': 'c3', 'lobby/B2.PNG': None}
    assert (report.unknown, report.similar) == (['lobby/b2.png'], {'lobby/b2.png': 'lobby/B2.PNG'})


def test_of_two_rows_of_one_file_the_very_name_counts(tmp_path):
    folder = paint_folder(tmp_path / 'crops/a', 'red').parent
    gallery = open_gallery(tmp_path / 'people', ColorEncoder.fingerprint)
    report = index(folder, gallery, metadata={'a\\red.png': Metadata(camera='c1'),
                                              'a/red.png': Metadata(camera='c2')})
    assert [entry.camera for entry in gallery.entries()] == ['c2']
    assert report.unknown == ['a\\red.png']
