"""The folder that paths are relative to: it may move, and no other is taken for it."""

import os
import shutil
from operator import attrgetter
from pathlib import Path

import pytest
from fakes import ColorEncoder, paint, paint_folder
from indexing_rig import Counting, Halves, index, paths

from mmtbps.errors import Remedy
from mmtbps.search.galleries.base import GalleryEntry
from mmtbps.search.galleries.factory import open_gallery
from mmtbps.search.galleries.provenance import read_provenance
from mmtbps.search.indexing import images_root


def test_paths_are_relative_to_the_first_folder(crops, gallery, tmp_path):
    index(crops, gallery)
    paint('white').save(crops / 'c2/white.png')
    report = index(crops / 'c2', gallery)
    assert (report.indexed, report.unchanged) == (1, 3) and 'c2/white.png' in paths(gallery)
    assert index(crops / 'c2/white.png', gallery).unchanged == 1
    assert read_provenance(gallery.uri).images == str(crops)
    with pytest.raises(ValueError, match='lies outside'):
        index(paint_folder(tmp_path / 'others', 'red'), gallery)
    crops.rename(tmp_path / 'moved')
    encoder = Counting()
    assert index(tmp_path / 'moved', gallery, encoder).unchanged == 7 and encoder.batches == []
    assert read_provenance(gallery.uri).images == str(tmp_path / 'moved')


def test_a_folder_above_both_is_the_root(tmp_path, gallery):
    one, two = (paint_folder(tmp_path / name, 'red') for name in ('one', 'two'))
    index(one, gallery, images=tmp_path)
    index(two, gallery)
    assert paths(gallery) == ['one/red.png', 'two/red.png']
    with pytest.raises(ValueError, match='relative to'):
        index(two, gallery, images=two)
    with pytest.raises(ValueError, match='lies outside'):
        index(one, open_gallery(tmp_path / 'other', ColorEncoder.fingerprint), images=two)


@pytest.fixture
def unplugged(crops, gallery, tmp_path):
    """Another folder of the same names; the one that was indexed is at another place now."""
    index(crops, gallery)
    crops.rename(tmp_path / 'unplugged')
    other = paint_folder(tmp_path / 'other', 'red', 'blue')
    for name, color in (('red', 'white'), ('blue', 'orange')):
        paint(color).save(other / f'{name}.png')
    return other


@pytest.mark.parametrize('prune', [False, True])
def test_another_folder_is_not_taken_for_the_one_that_is_gone(unplugged, gallery, crops, prune):
    before = sorted(gallery.entries(), key=lambda entry: entry.path)
    with pytest.raises(ValueError, match=f'{crops}, which .* is gone, and {unplugged} does not '
                                         'hold its files') as refused:
        index(unplugged, gallery, prune=prune, prune_most=prune)
    assert refused.value.remedy == Remedy('images_folder', dict(folder=unplugged))
    assert sorted(gallery.entries(), key=lambda entry: entry.path) == before
    assert read_provenance(gallery.uri).images == str(crops)
    (unplugged.parent / 'unplugged').rename(crops)
    assert index(crops, gallery).unchanged == 6


def test_another_folder_that_is_named_as_the_root_takes_its_place(unplugged, gallery):
    report = index(unplugged, gallery, images=unplugged)
    assert (report.indexed, report.replaced, report.removed) == (2, 2, 0)
    assert read_provenance(gallery.uri).images == str(unplugged) and gallery.count() == 6


def test_a_folder_that_has_moved_may_have_lost_some_files(unplugged, gallery, tmp_path):
    moved = tmp_path / 'unplugged'
    paint('white').save(moved / 'red.png')
    (moved / 'c2/green.png').unlink()
    (moved / 'c2/black.png').unlink()
    report = index(moved, gallery)
    assert (report.indexed, report.unchanged, gallery.count()) == (1, 3, 6)


def test_the_root_of_an_empty_gallery_binds_nobody(crops, gallery, unplugged):
    gallery.delete(ids=[entry.id for entry in gallery.entries()])
    assert index(unplugged, gallery).indexed == 2
    assert read_provenance(gallery.uri).images == str(unplugged)


def test_a_root_that_is_there_and_empty_has_moved_too(unplugged, gallery, crops, tmp_path):
    crops.mkdir()  # the place where the drive was
    with pytest.raises(ValueError, match='lies outside'):
        index(unplugged, gallery)
    assert index(tmp_path / 'unplugged', gallery).unchanged == 6


def test_another_folder_that_is_named_takes_the_place_of_an_empty_one(unplugged, gallery, crops):
    crops.mkdir()
    (crops / 'left.txt').touch()
    with pytest.raises(ValueError, match='lies outside'):
        index(unplugged, gallery, images=unplugged)
    (crops / 'left.txt').unlink()
    assert index(unplugged, gallery, images=unplugged).replaced == 2


def test_a_copy_of_the_root_is_another_folder(crops, gallery, tmp_path):
    index(crops, gallery)
    shutil.copytree(crops, tmp_path / 'copy')
    with pytest.raises(ValueError, match='lies outside'):
        index(tmp_path / 'copy', gallery)


@pytest.mark.parametrize('prune', [False, True])
def test_a_gallery_without_a_note_is_told_by_its_files(crops, gallery, unplugged, prune):
    """As one on a server, or one whose process was killed before it could write the note."""
    (unplugged.parent / 'unplugged').rename(crops)
    Path(gallery.uri, 'origin.json').unlink()
    for other in (unplugged, crops / 'c2'):
        with pytest.raises(ValueError, match=f'does not say which .*, and {other} does not') as no:
            index(other, gallery, prune=prune)
        assert no.value.remedy == Remedy('images_folder', dict(folder=other))
    assert index(crops, gallery, prune=prune).unchanged == 6
    Path(gallery.uri, 'origin.json').unlink()
    assert index(crops / 'c2', gallery, images=crops).unchanged == 3
    Path(gallery.uri, 'origin.json').unlink()
    assert index(unplugged, gallery, images=unplugged).replaced == 2


def test_entries_of_a_program_without_hashes_hinder_nobody(crops, gallery):
    gallery.upsert([GalleryEntry('1', 'elsewhere.png')], ColorEncoder().encode_texts(['red']))
    assert index(crops, gallery).indexed == 6


def test_known_files_are_told_by_their_times_or_by_their_content(crops, gallery, monkeypatch):
    index(crops, gallery)
    hashed = []
    monkeypatch.setattr(images_root, 'hash_file', lambda path: hashed.append(path) or (0, ''))
    assert images_root._holds_files(gallery, crops) and hashed == []
    for path in crops.rglob('*.png'):
        os.utime(path)
    assert not images_root._holds_files(gallery, crops) and len(hashed) == 6


@pytest.mark.parametrize('taken, options, said', [
    ('photographs', {}, 'crops lies outside .*photographs'),
    ('crops', dict(detector=Halves()), 'holds people found by'),
    ('.', {}, 'another process has begun .* relative to .*: index .*crops again')])
def test_of_two_that_begin_a_gallery_at_once_the_second_gives_way(crops, gallery, photographs,
                                                                  taken, options, said):
    """Both found it empty, and then the other was faster."""
    paint('black', size=(32, 16)).save(crops / 'wide.png')

    class Slow(Counting):
        def encode_images(self, images):
            index(crops.parent / taken, open_gallery(gallery.uri, self.fingerprint), **options)
            return super().encode_images(images)

    with pytest.raises(ValueError, match=said):
        index(crops, gallery, Slow())
    other = open_gallery(f'{gallery.uri}-2', ColorEncoder.fingerprint)
    index(crops.parent / taken, other, **options)
    by_id = attrgetter('id')
    assert sorted(gallery.entries(), key=by_id) == sorted(other.entries(), key=by_id)
