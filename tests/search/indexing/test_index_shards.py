"""Tar shards and parquet files in a gallery: the same people as of the folder of their images."""

import io
import tarfile

import numpy as np
import pytest
from fakes import ColorEncoder, paint
from indexing_rig import Counting, Halves, couple, first, index, paths
from object_store_rig import new_bucket, put
from shard_rig import add, png, table, write_parquet, write_tar

from mmtbps.datasets.packed import PackedImagesBackend
from mmtbps.errors import BadValue
from mmtbps.fileio.packed_addresses import member_address
from mmtbps.fileio.packed_images import PackedImagesError
from mmtbps.fileio.packed_sources import open_packed
from mmtbps.search.galleries.factory import open_gallery
from mmtbps.search.galleries.provenance import read_provenance
from mmtbps.search.indexing.options import IndexOptions
from mmtbps.search.indexing.verification import verify_gallery
from mmtbps.search.inferencer import TextToPersonInferencer
from mmtbps.search.media.crops import ChangedFile, locate, read_entry
from mmtbps.search.media.images import read_bytes

SHARDS = {'a-0.tar': ('red', 'green', 'blue'), 'a-1.tar': ('white-black', 'black-white'),
          'sub/b.parquet': ('yellow', 'orange', 'purple')}


@pytest.fixture
def shards(tmp_path):
    for name, people in SHARDS.items():
        (write_tar if name.endswith('.tar') else write_parquet)(tmp_path / 'shards' / name, people)
    return tmp_path / 'shards'


def told(gallery):
    entries, features = gallery.get([entry.id for entry in gallery.entries()])
    return {entry.path: (entry.size, entry.sha256, feature.tolist())
            for entry, feature in zip(entries, features, strict=True)}


@pytest.fixture
def expected(tmp_path):
    """Index the same pictures as files; all that their gallery holds, by path."""
    for name, people in SHARDS.items():
        for person in people:
            below = f'{name}/cam' if name.endswith('.parquet') else name
            (tmp_path / 'files' / below).mkdir(parents=True, exist_ok=True)
            (tmp_path / 'files' / below / f'{person}.png').write_bytes(png(person))
    gallery = open_gallery(tmp_path / 'of_files', ColorEncoder.fingerprint)
    index(tmp_path / 'files', gallery)
    return told(gallery)


def test_entries_are_those_of_the_same_files_in_folders(shards, expected, gallery):
    assert index(shards, gallery).indexed == len(expected) == 8
    assert told(gallery) == expected
    assert read_provenance(gallery.uri).images == str(shards)


def test_shards_in_a_store_are_read_there(shards, expected, gallery):
    address = f'{new_bucket()}/shards'
    put(shards, address)
    assert index(address, gallery).indexed == 8 and told(gallery) == expected
    again = Counting()
    assert index(address, gallery, again).unchanged == 8 and not again.batches
    hit = first(gallery, 'orange').entry
    assert np.array_equal(read_entry(address, hit), paint('orange'))
    assert str(member_address(locate(address, hit.path))) == (
        f'packed+{address}/sub/b.parquet/cam/orange.png')


def test_what_is_known_is_not_encoded_again_and_what_is_gone_goes(shards, gallery):
    index(shards, gallery)
    encoder = Counting()
    assert index(shards, gallery, encoder).unchanged == 8 and not encoder.batches
    write_tar(shards / 'a-2.tar', ['red-blue'])
    write_tar(shards / 'a-1.tar', ['white-black'])  # the other is gone, and the file another
    report = index(shards, gallery, prune=True)
    assert (report.indexed, report.unchanged, report.removed) == (1, 7, 1)
    (shards / 'a-0.tar').unlink()
    assert index(shards, gallery, prune=True).removed == 3
    assert 'a-2.tar/red-blue.png' in paths(gallery)


def test_a_part_each_and_a_run_that_was_stopped_come_to_the_same(shards, expected, gallery,
                                                                 tmp_path):
    for part in (0, 1):
        assert 0 < index(shards, gallery, shard=(part, 2)).indexed < 8
    assert told(gallery) == expected
    other = open_gallery(tmp_path / 'other', ColorEncoder.fingerprint)
    with pytest.raises(KeyboardInterrupt):
        index(shards, other, Counting(stop_at=3), batch_size=2, commit_every=2)
    assert 0 < other.count() < 8
    index(shards, other)
    assert told(other) == expected


@pytest.mark.parametrize('kept', [.4, .9])
def test_a_shard_that_is_cut_short_is_skipped_and_loses_nobody(shards, gallery, kept):
    index(shards, gallery)
    whole = (shards / 'a-0.tar').read_bytes()
    members = whole.rstrip(b'\0')
    (shards / 'a-0.tar').write_bytes(members[:int(kept * len(members))])
    write_tar(shards / 'a-2.tar', ['red-blue'])
    report = index(shards, gallery, prune=True)
    assert (report.indexed, report.removed) == (1, 0) and gallery.count() == 9
    (path, reason), = report.skipped
    assert path == 'a-0.tar' and reason.startswith('no uncompressed tar file, or damaged (')
    with pytest.raises(BadValue, match=r'a-0.tar: no uncompressed tar file, or damaged'):
        index(shards / 'a-0.tar', gallery)


def test_damage_in_a_parquet_file_skips_the_images_it_hits(shards, gallery):
    data = bytearray((shards / 'sub/b.parquet').read_bytes())
    place = data.index(b'\x89PNG') + 20
    data[place:place + 4] = bytes(4)  # in the first group of two rows
    (shards / 'sub/b.parquet').write_bytes(data)
    report = index(shards, gallery)
    assert sorted(path for path, _ in report.skipped) == [
        'sub/b.parquet/cam/orange.png', 'sub/b.parquet/cam/yellow.png']
    assert all('damaged; take a new copy' in reason for _, reason in report.skipped)
    assert 'sub/b.parquet/cam/purple.png' in paths(gallery)


def test_pictures_of_hits_are_those_of_the_shard_and_no_other(shards, gallery):
    index(shards, gallery)
    searcher = TextToPersonInferencer(ColorEncoder(), gallery=gallery)
    hit = searcher('white over black', topk=1)[0].hits[0]
    assert hit.entry.path == 'a-1.tar/white-black.png'
    assert np.array_equal(searcher.picture(hit), paint('white', 'black'))
    place = str(member_address(shards / hit.entry.path))
    assert place == f'packed://{shards}/a-1.tar/white-black.png'
    assert PackedImagesBackend().get(place) == png('white-black')
    write_tar(shards / 'a-1.tar', ['white-black', 'blue'])
    assert np.array_equal(searcher.picture(hit), paint('white', 'black'))
    with tarfile.open(shards / 'a-1.tar', 'w') as shard:
        add(shard, 'white-black.png', png('black-white'))
    with pytest.raises(ChangedFile):
        searcher.picture(hit)


def test_verify_reads_shards(shards, gallery):
    index(shards, gallery)
    whole = verify_gallery(shards, gallery, IndexOptions(progress=False, rehash=True))
    assert whole.is_whole and whole.entries == 8 and not whole.changed and not whole.gone
    write_tar(shards / 'a-0.tar', ['red', 'green', 'red-blue'])
    with tarfile.open(shards / 'a-1.tar', 'w') as shard:
        add(shard, 'white-black.png', png('orange'))
    found = verify_gallery(shards, gallery, IndexOptions(progress=False))
    assert found.missing == ['a-0.tar/red-blue.png']
    assert found.changed == ['a-1.tar/white-black.png']
    assert sorted(found.gone) == ['a-0.tar/blue.png', 'a-1.tar/black-white.png']


def test_a_shard_named_alone_and_images_beside_shards(shards, gallery):
    assert index(shards / 'a-0.tar', gallery).indexed == 3
    assert index(shards / 'a-1.tar', gallery).indexed == 2  # of the same folder
    assert 'a-1.tar/black-white.png' in paths(gallery)
    (shards / 'purple.png').write_bytes(png('purple'))
    report = index(shards, gallery, prune=True)
    assert (report.indexed, report.removed) == (1, 0)
    assert sorted(report.packed) == ['a-0.tar', 'a-1.tar', 'sub/b.parquet']
    assert gallery.count() == 6


def test_people_are_found_in_photographs_of_a_shard(tmp_path, gallery):
    couple('red', 'blue').save(file := io.BytesIO(), 'PNG')
    with tarfile.open(tmp_path / 'photos.tar', 'w') as shard:
        add(shard, 'day/both.png', file.getvalue())
    for indexed in (2, 0):
        assert index(tmp_path / 'photos.tar', gallery, detector=Halves()).indexed == indexed
    hit = first(gallery, 'all in blue').entry
    assert (hit.path, hit.box) == ('photos.tar/day/both.png', (16, 0, 32, 16))
    assert read_entry(tmp_path, hit).getpixel((0, 0)) == paint('blue').getpixel((0, 0))


def test_metadata_and_exclude_name_images_by_shard_and_name(shards, gallery):
    from mmtbps.search.indexing.metadata import Metadata
    report = index(shards, gallery, exclude=['green.*', 'a-1.tar'], metadata={
        'a-0.tar/red.png': Metadata(camera='lobby'), 'a-0.tar/rde.png': Metadata(camera='x')})
    assert sorted(report.passed_over) == ['a-0.tar/green.png', 'a-1.tar']
    assert report.indexed == 5 and first(gallery, 'red').entry.camera == 'lobby'
    assert report.unknown == ['a-0.tar/rde.png']


# ------------------------------------------------------------------ errors
def nothing(path):
    with tarfile.open(path, 'w') as shard:
        add(shard, 'notes.txt', b'words')


def gzipped(path):
    with tarfile.open(path, 'w:gz') as shard:
        add(shard, 'red.png', png('red'))


@pytest.mark.parametrize('name, make, said', [
    ('x.tar', nothing, 'x.tar: no image in it; is it a shard?'),
    ('x.tar', gzipped, 'x.tar: no uncompressed tar file, or damaged'),
    ('x.tar.gz', gzipped, r'x.tar.gz: of a compressed shard .* unpack it to .tar'),
    ('x.tgz', gzipped, 'x.tgz: of a compressed shard'),
    ('x.tar', lambda path: path.write_bytes(b''), 'x.tar: no uncompressed tar file'),
    ('x.tar', lambda path: path.write_bytes(b'words' * 400), 'x.tar: no uncompressed tar file'),
    ('x.parquet', lambda path: path.write_bytes(b'PAR1words'), 'no parquet file, or cut short'),
    ('x.parquet', lambda path: table(path, caption=['a man']), 'x.parquet: no column of images; '
     'one called image or img or .* It has caption'),
    ('x.parquet', lambda path: table(path, image=['a.jpg']), 'no column of images'),
    ('x.parquet', lambda path: table(path, one=[b'a'], two=[b'b']), 'bytes are one, two; '
     'one called'),
])
def test_what_is_no_shard_is_said(name, make, said, tmp_path, gallery):
    (tmp_path / 'in').mkdir()
    make(tmp_path / 'in' / name)
    with pytest.raises(BadValue, match=said):
        index(tmp_path / 'in' / name, gallery)
    with pytest.raises(BadValue, match=f'no file to index below it .* 1 others, such as {name}'):
        index(tmp_path / 'in', gallery)
    address = f'{new_bucket()}/{name}'
    put(tmp_path / 'in' / name, address)
    with pytest.raises(BadValue, match=said):
        index(address, gallery)


def test_odd_members_are_named_and_none_leads_out(tmp_path, gallery):
    (tmp_path / 'secret.png').write_bytes(png('red'))
    with tarfile.open(tmp_path / 'odd.tar', 'w') as shard:
        for name in ('good.png', './c/also good.PNG', 'c/._good.png', '__MACOSX/x.txt'):
            add(shard, name, png('green'))
        add(shard, '../secret.png', png('red'))
        add(shard, 'link.png', b'', type=tarfile.SYMTYPE, linkname='../secret.png')
        add(shard, 'in.tar/blue.png', png('blue'))
    report = index(tmp_path / 'odd.tar', gallery)
    assert paths(gallery) == ['odd.tar/c/also good.PNG', 'odd.tar/good.png']
    (path, reason), = report.skipped
    assert path == 'odd.tar' and reason == (
        "3 of its images are not read, such as '../secret.png': its name leads out of the shard")


def test_rows_without_an_image_are_skipped(tmp_path, gallery):
    table(tmp_path / 'x.parquet', img=[png('red'), None, png('blue')])
    report = index(tmp_path / 'x.parquet', gallery)
    assert paths(gallery) == ['x.parquet/000000000.jpg', 'x.parquet/000000002.jpg']
    (path, reason), = report.skipped
    assert path == 'x.parquet/000000001.jpg' and 'holds no image' in reason


# ------------------------------------------------------------------ readers
@pytest.mark.parametrize('say, named', [
    (lambda name: f'cam/./{name}.png', 'cam/red.png'),
    (lambda name: 'image.png', '000000000.jpg'),
    (lambda name: None, '000000000.jpg'),
    (lambda name: f'../{name}.png', '000000000.jpg'),
    (lambda name: f'{name}.txt', '000000000.jpg'),
])
def test_names_of_rows(say, named, tmp_path):
    people = ('red', 'green', 'blue', 'white', 'black')
    write_parquet(tmp_path / 'x.parquet', people, column='picture', say=say)
    images = open_packed(str(tmp_path / 'x.parquet'))
    assert next(iter(images)) == named and [images.read(name) for name in images] == [*map(
        png, people)]
    assert images.stat(named).st_size == len(png('red')) and images.stat('none.png') is None
    with pytest.raises(FileNotFoundError, match="no image 'none.png' in its 5 rows"):
        images.read('none.png')


def test_folders_called_as_shards_are_folders(tmp_path, gallery):
    write_parquet(tmp_path / 'all.parquet/part-0.parquet', ['red'])
    (tmp_path / 'imgs.tar').mkdir()
    (tmp_path / 'imgs.tar/blue.png').write_bytes(png('blue'))
    assert index(tmp_path / 'all.parquet', gallery).indexed == 1
    assert paths(gallery) == ['part-0.parquet/cam/red.png']
    assert member_address(tmp_path / 'imgs.tar/blue.png') == tmp_path / 'imgs.tar/blue.png'
    assert read_bytes(tmp_path / 'imgs.tar/blue.png') == png('blue')


def test_readers_that_are_kept_are_few(tmp_path, monkeypatch):
    from mmtbps.fileio import packed_sources
    monkeypatch.setattr(packed_sources, '_KEPT', 2)
    monkeypatch.setattr(packed_sources, '_readers', {})
    for number in range(4):
        write_tar(tmp_path / f'{number}.tar', ['red'])
        open_packed(str(tmp_path / f'{number}.tar'))
    assert [*packed_sources._readers] == [str(tmp_path / f'{number}.tar') for number in (2, 3)]
    with pytest.raises(PackedImagesError, match='5.tar: no uncompressed tar file'):
        (tmp_path / '5.tar').write_text('words')
        open_packed(str(tmp_path / '5.tar'))
