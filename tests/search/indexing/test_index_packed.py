"""Folders of packed images in a gallery: the same entries as of the folder that was packed."""

import argparse

import pytest
from fakes import ColorEncoder, paint_folder
from indexing_rig import Counting, first, index, paths
from object_store_rig import new_bucket, put

from mmtbps.commands.options.gallery import find_images
from mmtbps.datasets.packed import PackedImagesError
from mmtbps.datasets.write_packed import pack_images
from mmtbps.errors import BadValue, MissingFile
from mmtbps.fileio import as_path
from mmtbps.fileio.packed_addresses import images_place
from mmtbps.fileio.packed_files import PackedFileSystem
from mmtbps.search.galleries.factory import open_gallery
from mmtbps.search.galleries.provenance import read_provenance
from mmtbps.search.inferencer import TextToPersonInferencer
from mmtbps.search.media.crops import locate, read_entry
from mmtbps.search.media.images import UnreadableImage


@pytest.fixture
def packed(crops, tmp_path):
    """The crops, two of them in a folder with odd signs, packed into two shards."""
    paint_folder(crops / 'c 2%', 'white', 'orange')
    pack_images(crops, tmp_path / 'crops.tars', shard_size=400)
    assert len(list((tmp_path / 'crops.tars').glob('*.tar'))) == 2
    return tmp_path / 'crops.tars'


def told(gallery):
    entries, features = gallery.get([entry.id for entry in gallery.entries()])
    return sorted((entry.id, entry.path, entry.size, entry.sha256, feature.tolist())
                  for entry, feature in zip(entries, features, strict=True))


def test_entries_are_those_of_the_folder(crops, packed, gallery, tmp_path):
    index(crops, gallery)
    other = open_gallery(tmp_path / 'other', ColorEncoder.fingerprint)
    assert index(packed, other).indexed == gallery.count()
    assert told(other) == told(gallery) and 'c 2%/white.png' in paths(other)
    assert read_provenance(other.uri).images == f'packed://{packed}'


def test_shards_in_a_store_are_read_there(crops, packed, gallery, tmp_path):
    index(crops, gallery)
    address = f'{new_bucket()}/crops.tars'
    put(packed, address)
    other = open_gallery(tmp_path / 'other', ColorEncoder.fingerprint)
    index(address, other)
    assert told(other) == told(gallery)
    assert read_provenance(other.uri).images == f'packed+{address}'


def test_a_second_run_encodes_nothing_and_a_part_can_be_indexed(packed, gallery):
    assert index(packed / 'c 2%', gallery, images=packed).indexed == 2
    assert sorted(paths(gallery)) == ['c 2%/orange.png', 'c 2%/white.png']
    index(packed, gallery)
    encoder = Counting()
    report = index(packed, gallery, encoder)
    assert not encoder.batches and report.unchanged == gallery.count()


def test_what_is_packed_anew_is_seen(crops, packed, gallery, tmp_path):
    index(packed, gallery)
    (crops / 'red.png').unlink()
    paint_folder(crops, 'purple')
    for file in packed.iterdir():
        file.unlink()
    pack_images(crops, packed)
    report = index(packed, gallery, prune=True)
    assert (report.indexed, report.removed) == (1, 1)
    assert first(gallery, 'purple').entry.path == 'purple.png'


def test_the_picture_of_a_hit_is_that_in_the_shard(packed, gallery, tmp_path, monkeypatch):
    index(packed, gallery)
    searcher = TextToPersonInferencer(ColorEncoder(), gallery=gallery)
    hit = searcher('all in orange', topk=1)[0].hits[0]
    assert hit.entry.path == 'c 2%/orange.png'
    assert searcher.picture(hit).getpixel((0, 0)) == (250, 140, 20)
    assert read_entry(packed, hit.entry).getpixel((0, 0)) == (250, 140, 20)
    monkeypatch.chdir(tmp_path)
    images = find_images(argparse.Namespace(gallery=gallery.uri, images='crops.tars'))
    assert images == as_path(f'packed://{packed}')
    for path in ('../secret.png', '/etc/passwd', 'packed:///etc/passwd', '.'):
        with pytest.raises(UnreadableImage, match='outside the folder'):
            locate(packed, path)


def test_a_damaged_image_is_skipped_and_a_damaged_index_refused(packed, gallery):
    tar = sorted(packed.glob('*.tar'))[0]
    whole = bytearray(tar.read_bytes())
    whole[520:530] = bytes(10)  # behind the header of the first
    tar.write_bytes(whole)
    report = index(packed, gallery)
    skipped, = map(str, report.skipped)
    assert 'is damaged' in skipped and gallery.count() == report.indexed > 3
    tar.with_suffix('.npy').unlink()
    with pytest.raises(PackedImagesError, match='has no index'):
        index(packed, gallery)
    with pytest.raises(MissingFile, match='none.tars: no such file or folder'):
        index(packed.with_name('none.tars'), gallery)


def test_places_of_packed_images(packed, tmp_path):
    (tmp_path / 'file.tars').write_text('no folder')
    place = images_place(packed)
    assert str(place) == f'packed://{packed}' and images_place(place) == place
    assert images_place(packed / 'c 2%') == place / 'c 2%'
    assert images_place(tmp_path) == tmp_path and place.is_dir() and (place / 'c 2%').is_dir()
    assert images_place(tmp_path / 'file.tars') == tmp_path / 'file.tars'
    assert not (place / 'c 2').exists() and (place / 'red.png').is_file()
    names = sorted(path.name for path in place.iterdir())
    assert 'red.png' in names and 'white.png' not in names
    assert len(place.files_below()) == 8
    store = PackedFileSystem()
    assert store.cat_file(f'{place}/red.png', 1, 4) == b'PNG'
    with store.open(f'{place}/red.png') as file:
        assert file.read(4) == b'\x89PNG'
    with pytest.raises(OSError, match='read only'):
        store.open(f'{place}/new.png', 'wb')
    for address in ('packed+s3://me:hunter2@bucket/a.tars', 's3://me:hunter2@bucket/a.tars'):
        with pytest.raises(BadValue, match='leave user') as refused:
            images_place(address)
        assert 'hunter2' not in str(refused.value)
