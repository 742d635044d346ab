"""Look-ups of a gallery, its note and its end: of all kinds as of the slow gallery."""

import numpy as np
import pytest
from fakes import ColorEncoder, paint_folder
from gallery_rig import DIM, FINGERPRINT, SlowGallery, draw_people, unit

from mmtbps.search.galleries import GalleryClosed, GalleryEntry, lance, open_gallery
from mmtbps.search.galleries.facets import Facets
from mmtbps.search.galleries.factory import noted_at
from mmtbps.search.galleries.provenance import Provenance, read_provenance, write_provenance
from mmtbps.search.indexing import IndexOptions, index_people

pytest_plugins = 'gallery_fixtures'  # `address`, `people` and the servers


def test_look_ups_find_what_a_slow_look_finds(people):
    slow, (entries, vectors) = SlowGallery(), draw_people(range(60))
    twin = GalleryEntry('twin', entries[3].path, sha256=entries[4].sha256)
    entries, vectors = [*entries, twin], np.concatenate([vectors, vectors[:1]])
    for each in (people, slow):
        each.upsert(entries, vectors)
    by_id = lambda entry: entry.id  # noqa: E731
    for name, ask in (('path', people.known), ('sha256', people.known_contents)):
        wanted = [getattr(entry, name) for entry in entries[2:9]]
        found = ask([*wanted, 'none', 'a\0', '\udcff'])
        assert {key: sorted(some, key=by_id) for key, some in found.items()} == {
            key: sorted((entry for entry in slow.entries() if getattr(entry, name) == key),
                        key=by_id) for key in wanted}
    assert people.find(['twin', 'none', entries[0].id]) == {'twin': twin,
                                                            entries[0].id: entries[0]}
    sample = people.sample(7)
    assert len({entry.path for entry in sample}) == len(sample) == 7
    assert {entry.id for entry in sample} <= {entry.id for entry in entries}
    assert len(people.sample(1000)) == 60
    times = [entry.time for entry in entries if entry.time is not None]
    assert people.facets() == Facets(61, ('c0', 'c1', 'c2', 'c3'), (min(times), max(times)), True)
    assert [people.knows(key) for key in ('camera', 'frame', 'coat', 'hat')] == [
        True, True, True, False]


def test_look_ups_of_an_empty_gallery_find_nothing(people):
    assert people.known(['a']) == people.known_contents(['a']) == people.find(['a']) == {}
    assert people.sample(3) == [] and people.facets() == Facets() and not people.knows('camera')


@pytest.mark.parametrize('place', ['camera', 'path', 'coat'])
def test_a_zero_byte_is_refused_by_every_gallery(people, place):
    facts = {place: 'a\0b'} if place != 'coat' else {'extra': {'coat': 'a\0b'}}
    entry = GalleryEntry(**{'id': '1', 'path': 'a.jpg', **facts})
    with pytest.raises(ValueError, match=f"'{place}' holds a zero byte"):
        people.upsert([entry], unit(np.ones((1, DIM))))
    with pytest.raises(ValueError, match='holds a zero byte'):
        people.count({place: 'a\0b'})


def test_the_note_lies_in_the_gallery(people, address, tmp_path):
    assert noted_at(address) == Provenance()
    write_provenance(people, images=tmp_path)  # of nothing
    people.upsert(*draw_people(range(3)))
    assert read_provenance(people) == Provenance()
    write_provenance(people, images=tmp_path, model='hf:a/b')
    write_provenance(people, details=dict(aspect='pad'))
    wanted = Provenance(str(tmp_path), 'hf:a/b', None, dict(aspect='pad'))
    assert read_provenance(people) == noted_at(address) == wanted
    people.upsert(*draw_people(range(5)))
    people.optimize()
    assert noted_at(address) == wanted and open_gallery(address, FINGERPRINT).count() == 5


def test_the_note_of_a_table_in_an_object_store(tmp_path):
    pytest.importorskip('lancedb')
    address = f'file://{tmp_path}/people.lance'
    gallery = lance.LanceGallery(address, FINGERPRINT)
    gallery.upsert(*draw_people(range(3)))
    write_provenance(gallery, images=tmp_path, model='hf:a/b')
    assert noted_at(address) == Provenance(str(tmp_path), 'hf:a/b')


def test_a_closed_gallery_is_used_no_more(people, address):
    with people as same:
        same.upsert(*draw_people(range(3)))
    people.close()
    for call in (people.count, lambda: people.find(['a']), people.facets):
        with pytest.raises(GalleryClosed, match='was closed: open it again'):
            call()
    assert open_gallery(address).count() == 3


def test_a_run_asks_for_its_files_and_never_for_all_entries(address, tmp_path, monkeypatch):
    """The second run, of which nothing is new, and a third with a file that has moved."""
    monkeypatch.setattr('mmtbps.search.indexing.file_run._LOOKED_UP', 2)
    people = open_gallery(address, ColorEncoder.fingerprint)
    folder = paint_folder(tmp_path / 'crops', 'red', 'green', 'blue', 'red-blue', 'white')
    quiet = IndexOptions(progress=False)
    assert index_people(folder, people, ColorEncoder(), options=quiet).indexed == 5
    entries, _ = people.get([entry.id for entry in people.entries({'path': 'red.png'})])
    people.upsert([GalleryEntry(**{**entries[0].to_json(), 'camera': 'c9'})],
                  people.get([entries[0].id])[1])
    monkeypatch.setattr(people, 'entries', None)
    assert index_people(folder, people, ColorEncoder(), options=quiet).unchanged == 5
    (folder / 'red.png').rename(folder / 'moved.png')
    assert index_people(folder, people, ColorEncoder(), options=quiet).indexed == 1
    assert people.known(['moved.png'])['moved.png'][0].camera == 'c9'
