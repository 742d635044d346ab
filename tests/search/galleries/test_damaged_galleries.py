"""Damage of a gallery's files is one line that names it and the way out, never another answer."""

import json
import random
import shutil
from dataclasses import replace

import numpy as np
import pytest
from gallery_rig import DIM, FINGERPRINT, draw_people, unit
from safetensors.numpy import load_file, save_file

from mmtbps.errors import UserError
from mmtbps.search.galleries import (
    GalleryEntry,
    GalleryUnreadable,
    Hit,
    lance,
    memory,
    open_gallery,
)

pytest_plugins = 'gallery_fixtures'  # `people`
KINDS = ['people', 'people.lance']
HARMS = {'gone': lambda data: None, 'empty': lambda data: b'', 'cut': lambda data: data[:-1],
         'half': lambda data: data[:len(data) // 2]}


def flip(data, seed):
    """The same bytes with one bit that is another."""
    draw = random.Random(seed)
    place = draw.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << draw.randrange(8)]) + data[place + 1:]


@pytest.fixture(scope='module', params=KINDS)
def sound(request, tmp_path_factory):
    """A gallery of three calls, the last of which replaces."""
    if request.param.endswith('.lance'):
        pytest.importorskip('lancedb')
    folder = tmp_path_factory.mktemp('sound') / request.param
    for numbers in (range(20), range(20, 30), range(5, 9)):
        open_gallery(folder, FINGERPRINT).upsert(*draw_people(numbers))
    return folder


def ask(folder):
    gallery = open_gallery(folder, FINGERPRINT)
    entries, vectors = draw_people(range(30))
    hits = gallery.search(vectors[:3], 30)
    return ([[(hit.entry, round(hit.score, 5)) for hit in row] for row in hits],
            sorted(gallery.entries(), key=lambda entry: entry.id), gallery.count(),
            gallery.get([entry.id for entry in entries])[1].tolist())


def check_harmed(sound, tmp_path, file, harm):
    """The answer is as it was, or there is one line."""
    folder = tmp_path / sound.name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(sound, folder)
    path, data = folder / file, harm((folder / file).read_bytes())
    path.unlink() if data is None else path.write_bytes(data)
    try:
        answer = ask(folder)
    except UserError as error:
        said = str(error)
        assert str(folder) in said, said
        assert 'backup' in said or 'another model' in said or 'this version reads' in said, said
        assert not {'/rustc/', '.rs:', '\n'} & {*said.split(), *said}, said
        return True
    assert answer == ask(sound)
    return False


@pytest.mark.parametrize('harm', HARMS)
def test_damaged_files(sound, harm, tmp_path):
    files = [path.relative_to(sound) for path in sound.rglob('*') if path.is_file()]
    noticed = [check_harmed(sound, tmp_path, file, HARMS[harm]) for file in files]
    assert sum(noticed) >= 3


@pytest.mark.parametrize('sound', ['people'], indirect=True)
@pytest.mark.parametrize('times', [5, pytest.param(100, marks=pytest.mark.slow)])
def test_flipped_bits(sound, times, tmp_path):
    """Of a LanceDB file they may end the process: its library trusts the sizes in a file."""
    files = [path.relative_to(sound) for path in sound.rglob('*')
             if path.is_file() and path.stat().st_size]
    noticed = [check_harmed(sound, tmp_path, file, lambda data, seed=seed: flip(data, seed))
               for file in files for seed in range(times)]
    assert any(noticed)


@pytest.mark.parametrize('what', ['feature', 'text'])
@pytest.mark.parametrize('bit', range(0, 32, 5))
def test_a_flipped_bit_of_a_feature_or_a_fact_is_noticed(sound, what, bit, tmp_path):
    entries, vectors = draw_people(range(20))
    mark = vectors[2].tobytes() if what == 'feature' else entries[12].sha256.encode()

    def change(data):
        place = data.index(mark) + bit // 8
        return data[:place] + bytes([data[place] ^ 1 << bit % 8]) + data[place + 1:]

    files = [path.relative_to(sound) for path in sound.rglob('*')
             if path.is_file() and mark in path.read_bytes()]
    for file in files:
        if sound.name != 'people.lance' or what == 'feature' or b'{' in (sound / file).read_bytes():
            assert check_harmed(sound, tmp_path, file, change)


@pytest.mark.parametrize('score', [1.01, -3., 4.4e35, np.nan, np.inf])
def test_a_score_that_no_feature_has_is_no_answer(score, sound, monkeypatch):
    gallery = open_gallery(sound)
    (entry, ), _ = draw_people([0])
    monkeypatch.setattr(gallery, '_search', lambda *_: [[Hit(entry, score)]])
    with pytest.raises(GalleryUnreadable, match='damaged .*street/0.jpg.* has a score of .*backup'):
        gallery.search(unit(np.ones((1, DIM))))


def test_a_changed_feature_of_an_older_gallery_without_checksums_is_noticed(tmp_path):
    """One that changes the length: that is all there is to see it by."""
    gallery = open_gallery(tmp_path / 'people', FINGERPRINT)
    gallery.upsert(*draw_people(range(5)))
    commit = tmp_path / 'people' / memory.COMMIT_FILE
    commit.write_text(commit.read_text().replace('"sha256"', '"of later versions"'))
    assert open_gallery(tmp_path / 'people').count() == 5
    path = next((tmp_path / 'people').glob('*.safetensors'))
    features = load_file(path)['features']
    features[2, 3] = -4.4e35
    save_file(dict(features=features), path)
    with pytest.raises(UserError, match='part-.* damaged .feature 2 has length .* backup'):
        open_gallery(tmp_path / 'people').search(features[:1])


def test_rows_of_an_older_lance_gallery_without_checksums_are_read(tmp_path, monkeypatch):
    pytest.importorskip('lancedb')
    from mmtbps.search.galleries import lance_table
    monkeypatch.setattr(lance_table, 'seal', lambda entry, _: json.dumps(entry.to_json()))
    people, vectors = draw_people(range(5))
    gallery = lance.LanceGallery(tmp_path / 'people.lance', FINGERPRINT)
    gallery.upsert(people, vectors)
    assert sorted(gallery.entries(), key=lambda entry: entry.id) == people
    assert gallery.get([people[3].id])[0] == [people[3]]


@pytest.mark.parametrize('odd, said', [
    (dict(path=5), 'path'), (dict(time='noon'), 'time'), (dict(box=[1, 2]), 'box'),
    (dict(extra='coat'), 'extra'), (dict(size=None), 'size'), (dict(extra=dict(coat=1)), 'coat')])
def test_an_entry_of_a_stranger_is_checked_as_ones_own(odd, said, people, monkeypatch):
    """Its checksum is right, and a value of another kind."""
    entries, vectors = draw_people(range(5))
    with pytest.raises(ValueError, match=f"'{said}' (cannot|must) be"):
        people.upsert([replace(entries[0], **odd), *entries[1:]], vectors)
    assert people.count() == 0
    to_json = GalleryEntry.to_json
    monkeypatch.setattr(GalleryEntry, 'to_json', lambda self: to_json(self) | (
        odd if self.id == entries[2].id else {}))
    people.upsert(entries, vectors)
    with pytest.raises(UserError, match=f"damaged .*'{said}' (cannot|must) be .*backup"):
        list(open_gallery(people.uri).entries())


@pytest.mark.parametrize('where', [{'camera': 'c9'}, {'time': (3e9, None)}, {'coat': 'pink'}])
def test_a_filter_finds_nobody_by_a_damaged_column(where, tmp_path):
    """LanceDB keeps the columns of a filter beside the entries, and without checksums."""
    pytest.importorskip('lancedb')
    gallery = lance.LanceGallery(tmp_path / 'people.lance', FINGERPRINT)
    gallery.upsert(*draw_people(range(8)))
    gallery._table.update(where="id = 'street/1.jpg#0'", values=dict(
        camera='c9', time=3.5e9, extra='\n["coat", "pink"]\n'))
    for call in (lambda: gallery.search(unit(np.ones((1, DIM))), where=where),
                 lambda: list(gallery.entries(where)), lambda: gallery.delete(where=where)):
        with pytest.raises(GalleryUnreadable, match=f"street/1.jpg' was found by a {[*where][0]}"):
            call()
    assert gallery.count() == 8


@pytest.mark.parametrize('change', [
    lambda rows: rows.drop_columns(['vector']), lambda rows: rows.drop_columns(['camera']),
    lambda rows: rows.append_column('more', rows['id']),
    lambda rows: rows.set_column(0, 'id', rows['extra'].combine_chunks().dictionary_encode()),
    lambda rows: rows.set_column(rows.schema.get_field_index('time'), 'time', rows['camera'])])
def test_a_lance_table_of_other_columns_is_no_gallery(change, tmp_path):
    """As a stranger may have made one, with the fingerprint of a gallery."""
    lancedb = pytest.importorskip('lancedb')
    from mmtbps.search.galleries.lance_table import rows_of, schema_of
    rows = rows_of(*draw_people(range(4)), schema_of(FINGERPRINT))
    rows = change(rows).replace_schema_metadata(rows.schema.metadata)
    lancedb.connect(tmp_path).create_table('people', data=rows)
    with pytest.raises(GalleryUnreadable, match='damaged .its table has other columns'):
        open_gallery(tmp_path / 'people.lance')


@pytest.mark.parametrize('dim', [10**12, 12., True, 0])
def test_a_lance_table_with_features_of_no_length_is_no_gallery(dim, tmp_path):
    lancedb = pytest.importorskip('lancedb')
    from mmtbps.search.galleries.lance_table import schema_of
    schema = schema_of(FINGERPRINT).with_metadata(dict(mmtbps=json.dumps(dict(dim=dim))))
    lancedb.connect(tmp_path).create_table('people', schema=schema)
    with pytest.raises(GalleryUnreadable, match="damaged .its fingerprint: .* needs 'dim'"):
        open_gallery(tmp_path / 'people.lance')
