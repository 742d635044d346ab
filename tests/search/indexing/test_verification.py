"""Verification: what is broken, missing or cut short is named, and comes back."""

import json
import os

import pytest
from fakes import ColorEncoder, paint
from indexing_rig import Counting, Halves, index, paths

from mmtbps.errors import UserError
from mmtbps.search.galleries.factory import open_gallery
from mmtbps.search.indexing import IndexOptions, Metadata, verify_gallery
from mmtbps.search.indexing.verification import read_log

pytest_plugins = 'gallery_fixtures'  # `address`


def verify(folder, gallery, **options):
    return verify_gallery(folder, gallery, IndexOptions(progress=False, **options))


@pytest.fixture
def each(address):
    """A new gallery of each kind."""
    return open_gallery(address, ColorEncoder.fingerprint)


def take_away(gallery, *names):
    """Lose entries as a storage does, behind the back of everybody."""
    known = gallery.known(names)
    assert gallery.delete(ids=[entry.id for some in known.values() for entry in some]) > 0


def test_what_is_missing_is_named_and_plain_indexing_encodes_it_and_nothing_else(
        crops, each, tmp_path):
    log = tmp_path / 'log.jsonl'
    index(crops, each, log=log, metadata={'red.png': Metadata(camera='c1')})
    before = sorted(each.entries(), key=lambda entry: entry.id)
    found = verify(crops, each, log=log)
    assert (found.entries, found.is_whole, str(found)) == (6, True, '6 entries read')
    take_away(each, 'blue.png', 'c2/green.png')
    for options in ({}, dict(log=log)):
        found = verify(crops, open_gallery(each.uri), **options)
        assert sorted(found.missing) == ['blue.png', 'c2/green.png'] and not found.is_whole
        assert str(found) == '4 entries read, 2 files missing'
        assert not (found.broken or found.incomplete or found.changed or found.gone or found.lost)
    encoder = Counting()
    report = index(crops, each, encoder)
    assert (encoder.batches, report.indexed, report.unchanged) == ([2], 2, 4)
    assert sorted(each.entries(), key=lambda entry: entry.id) == before
    assert verify(crops, each, log=log).is_whole


def test_all_that_is_missing_comes_back_also_into_an_emptied_gallery(crops, each):
    index(crops, each)
    take_away(each, *paths(each))
    assert len(verify(crops, each).missing) == 6
    index(crops, each)
    assert verify(crops, each).is_whole and each.count() == 6


def test_a_feature_with_another_checksum_is_named_in_lance(crops, tmp_path):
    lance = pytest.importorskip('lancedb')
    index(crops, gallery := open_gallery(tmp_path / 'a.lance', ColorEncoder.fingerprint))
    table = lance.connect(tmp_path).open_table('a')
    bad = next(gallery.entries({'path': 'red.png'})).id
    table.update(where=f"id = '{bad}'", values=dict(vector=[1.] + [0.] * 11))
    found = verify(crops, open_gallery(gallery.uri))
    (name, reason), = found.broken
    assert name == 'red.png' and bad in reason and 'checksum' in reason
    assert (found.entries, found.missing, found.is_whole) == (5, [], False)
    take_away(gallery, 'red.png')
    assert index(crops, gallery).indexed == 1 and verify(crops, gallery).is_whole


@pytest.mark.parametrize('change', ["vector = '[1,0,0,0,0,0,0,0,0,0,0,0]'",
                                    "vector = '[2,0,0,0,0,0,0,0,0,0,0,0]'"])
def test_a_feature_that_was_changed_is_named_in_postgresql(crops, postgres, change):
    psycopg = pytest.importorskip('psycopg')
    index(crops, gallery := open_gallery(f'{postgres.address}/verified{change.count("2")}',
                                         ColorEncoder.fingerprint))
    with psycopg.connect(postgres.address) as connection:
        connection.execute(f"update {gallery._table} set {change} where path = 'c2/green.png'")
    found = verify(crops, gallery)
    assert [name for name, _ in found.broken] == ['c2/green.png']
    assert found.entries == 5 and not found.missing


def test_a_feature_of_another_length_is_named_in_milvus(crops, milvus_address):
    index(crops, gallery := open_gallery(f'{milvus_address}/verified', ColorEncoder.fingerprint))
    entries, vectors = gallery.get([entry.id for entry in gallery.entries({'path': 'red.png'})])
    gallery._upsert(entries, 2 * vectors)
    found = verify(crops, gallery)
    assert [name for name, _ in found.broken] == ['red.png']
    assert 'length 2' in found.broken[0][1] and found.entries == 5


def test_a_damaged_entry_ends_the_reading_and_nothing_is_called_missing(crops, postgres):
    psycopg = pytest.importorskip('psycopg')
    index(crops, gallery := open_gallery(f'{postgres.address}/texts', ColorEncoder.fingerprint))
    with psycopg.connect(postgres.address) as connection:
        connection.execute("update texts set entry = replace(entry, 'red', 'rot')")
    found = verify(crops, gallery)
    assert found.ended and len(found.broken) == 1 and 'checksum' in found.broken[0][1]
    assert not found.missing and not found.is_whole


def test_a_damaged_memory_gallery_is_refused_as_a_whole(crops, gallery, tmp_path):
    index(crops, gallery)
    part = next((tmp_path / 'people').glob('*.safetensors'))
    content = bytearray(part.read_bytes())
    content[-1] ^= 1
    part.write_bytes(content)
    with pytest.raises(UserError, match=f'{part.stem}.*damaged'):
        verify(crops, open_gallery(tmp_path / 'people'))


def test_files_that_changed_or_went_are_notes_and_no_fault(crops, gallery):
    index(crops, gallery)
    paint('purple').save(crops / 'red.png')
    (crops / 'blue.png').unlink()
    (crops / 'broken.jpg').write_bytes(b'\xff\xd8\xff')  # index would skip it
    found = verify(crops, gallery)
    assert (found.changed, found.gone, found.is_whole) == (['red.png'], ['blue.png'], True)


def test_a_change_that_leaves_size_and_time_shows_when_every_file_is_read(crops, gallery):
    index(crops, gallery)
    path = crops / 'red.png'
    stat, content = path.stat(), bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert verify(crops, gallery).changed == []
    assert verify(crops, gallery, rehash=True).changed == ['red.png']


def test_people_of_a_photograph_are_counted_by_the_log(photographs, gallery, tmp_path):
    log = tmp_path / 'log.jsonl'
    index(photographs, gallery, detector=Halves(), log=log)
    assert read_log(log) == {'a.png': 2, 'b.png': 2, 'nobody.png': 0}
    assert verify(photographs, gallery, log=log).is_whole
    assert verify(photographs, gallery).empty == ['nobody.png']
    one, = [entry for entry in gallery.entries() if entry.path == 'a.png'][:1]
    gallery.delete(ids=[one.id])
    take_away(gallery, 'b.png')
    found = verify(photographs, gallery, log=log)
    assert (found.incomplete, found.missing, found.empty) == (['a.png'], ['b.png'], [])
    assert index(photographs, gallery, detector=Halves()).indexed == 2
    take_away(gallery, 'a.png')  # as it is said to do
    assert index(photographs, gallery, detector=Halves(), log=log).indexed == 2
    assert verify(photographs, gallery, log=log).is_whole


def test_of_a_part_of_the_folder_only_that_part_is_held_against_the_log(crops, gallery, tmp_path):
    log = tmp_path / 'log.jsonl'
    index(crops, gallery, log=log)
    take_away(gallery, 'red.png', 'c2/green.png')
    found = verify(crops / 'c2', gallery, log=log)
    assert (found.missing, found.entries) == (['c2/green.png'], 4)
    (crops / 'c2/green.png').unlink()
    found = verify(crops / 'c2', gallery, log=log)
    assert (found.lost, found.missing, found.is_whole) == (['c2/green.png'], [], True)


def test_a_log_of_earlier_versions_is_read_and_a_file_that_is_none_is_refused(crops, tmp_path):
    log = tmp_path / 'log.jsonl'
    log.write_text('{"path": "a", "sha256": "0"}\n{"path": "b", "sha256": "0", "entries": 3}\n'
                   '{"path": "b", "skipped": "broken"}\n{"path": "a", "caption": "cut"}\n')
    assert read_log(log) == {'a': None, 'b': 0}
    log.write_text(json.dumps(['a']) + '\n')
    with pytest.raises(UserError, match='log.jsonl:1: no line of a log'):
        read_log(log)
