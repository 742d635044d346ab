"""Folders of an object store in a gallery: the same entries as of a folder of this machine."""

import argparse
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from fakes import ColorEncoder, paint
from indexing_rig import Counting, Halves, couple, first, index, paths
from object_store_rig import new_bucket, put
from PIL import Image

from mmtbps.commands.options.addresses import path_or_address
from mmtbps.commands.options.gallery import find_images
from mmtbps.errors import BadValue, MissingFile
from mmtbps.fileio import RemotePath, as_path
from mmtbps.search.galleries.factory import open_gallery
from mmtbps.search.galleries.provenance import read_provenance
from mmtbps.search.inferencer import TextToPersonInferencer
from mmtbps.search.media.crops import locate, read_entry
from mmtbps.search.media.images import UnreadableImage, find_files, list_images, read_bytes
from mmtbps.search.webui.uploads import check_uploads


@pytest.fixture
def store(crops):
    """The crops in a bucket, with what is passed over: its address."""
    address = new_bucket()
    put(crops, f'{address}/crops')
    for name in ('.hidden/red.png', '@eaDir/red.png', 'c2/.red.png', 'thumbs/red.png'):
        put(crops / 'red.png', f'{address}/crops/{name}')
    return f'{address}/crops'


def put_image(image, address):
    from fsspec import filesystem
    image.save(file := io.BytesIO(), 'PNG')
    filesystem('memory').pipe(str(address), file.getvalue())


def told(gallery):
    """Entries with their features, but the times of change."""
    entries, features = gallery.get([entry.id for entry in gallery.entries()])
    return sorted((entry.id, entry.path, entry.size, entry.sha256, entry.box, feature.tolist())
                  for entry, feature in zip(entries, features, strict=True))


def test_entries_are_those_of_the_folder(crops, store, gallery, tmp_path):
    index(crops, gallery)
    stored = open_gallery(tmp_path / 'stored', ColorEncoder.fingerprint)
    report = index(store, stored, exclude=['thumbs'])
    assert told(stored) == told(gallery) and report.indexed == 6
    assert sorted(report.passed_over) == ['@eaDir', 'thumbs']
    assert read_provenance(stored.uri).images == store


@pytest.mark.parametrize('folder', ['', '/sub'])
def test_a_name_with_an_empty_part_takes_no_other_files_place(crops, store, folder):
    """``-`` comes before ``/``, so that the strange name is listed last."""
    place = f'{store}{folder}'
    put(crops / 'red.png', f'{place}/-red.png')
    put(crops / 'blue.png', f'{place}//-red.png')
    found = {str(path): reason for path, reason in find_files(as_path(store), ('.png', ))}
    assert found[f'{place}/-red.png'] is None
    assert found[f'{place}//-red.png'] == 'its name has an empty part'


def test_a_second_run_reads_nothing_and_a_change_is_seen(store, gallery, monkeypatch):
    index(store, gallery)
    read, whole = [], RemotePath.read_bytes
    monkeypatch.setattr(RemotePath, 'read_bytes', lambda path, *part: (
        read.append(path.name), whole(path, *part))[1])
    assert index(store, gallery).unchanged == 7 and not read
    put_image(paint('purple'), f'{store}/red.png')
    encoder = Counting()
    report = index(store, gallery, encoder)
    assert (encoder.batches, report.replaced, read) == ([1], 1, ['red.png'])
    assert first(gallery, 'purple').entry.path == 'red.png'


def test_what_is_gone_is_removed_and_a_part_can_be_indexed(store, gallery):
    from fsspec import filesystem
    index(store, gallery)
    filesystem('memory').rm(f'{store}/blue.png')
    put_image(paint('white'), f'{store}/c2/white.png')
    assert index(f'{store}/c2', gallery).indexed == 1
    assert 'c2/white.png' in paths(gallery) and 'blue.png' in paths(gallery)
    assert index(store, gallery, prune=True).removed == 1 and 'blue.png' not in paths(gallery)
    with pytest.raises(BadValue, match=f'lies outside {store}'):
        index(f'{store}/..', gallery)
    with pytest.raises(MissingFile, match='none: no such file or folder'):
        index(f'{store}/none', gallery)


def test_shards_share_the_files_of_a_store(store, tmp_path):
    galleries = [open_gallery(tmp_path / str(part), ColorEncoder.fingerprint) for part in (0, 1)]
    for part, gallery in enumerate(galleries):
        index(store, gallery, shard=(part, 2))
    assert sorted(sum(map(paths, galleries), [])) == sorted(
        f'{path.relative_to(as_path(store))}' for path in list_images(as_path(store)))


def test_broken_files_are_listed_and_skipped(store, gallery):
    from fsspec import filesystem
    filesystem('memory').pipe({f'{store}/broken.jpg': b'\xff\xd8\xff', f'{store}/raw.nef': b'1',
                               f'{store}/huge.png': bytes(51 * 2**20)})
    skipped = dict(index(store, gallery).skipped)
    assert skipped.keys() == {'broken.jpg', 'raw.nef', 'huge.png'}
    assert skipped['huge.png'] == 'larger than 50 MiB'
    assert skipped['raw.nef'] == 'pictures of this kind are not read'


def test_people_in_photographs_of_a_store(photographs, gallery, tmp_path):
    address = new_bucket()
    put(photographs, f'{address}/photos')
    index(photographs, gallery, detector=Halves())
    stored = open_gallery(tmp_path / 'stored', ColorEncoder.fingerprint)
    report = index(f'{address}/photos', stored, detector=Halves())
    assert told(stored) == told(gallery) and report.nobody == ['nobody.png']
    entry = first(stored, 'yellow').entry
    assert np.array_equal(read_entry(f'{address}/photos', entry), read_entry(photographs, entry))


def test_metadata_may_lie_in_the_store(store, gallery, tmp_path):
    from mmtbps.search.indexing import read_metadata
    (tmp_path / 'crops.csv').write_text('path,camera\nblue.png,c7\n')
    put(tmp_path / 'crops.csv', f'{store}/crops.csv')
    index(store, gallery, metadata=read_metadata(f'{store}/crops.csv'))
    assert first(gallery, 'blue').entry.camera == 'c7'


def test_a_video_of_a_store_gives_the_frames_of_the_file(tmp_path, gallery):
    cv2 = pytest.importorskip('cv2')
    writer = cv2.VideoWriter(str(tmp_path / 'a.avi'), cv2.VideoWriter_fourcc(*'MJPG'), 2, (32, 16))
    for left, right in (('red', 'blue'), ('red', 'blue'), ('green', 'white')):
        writer.write(np.asarray(couple(left, right))[..., ::-1])
    writer.release()
    address = new_bucket()
    put(tmp_path / 'a.avi', f'{address}/videos/a.avi')
    report = index(f'{address}/videos', gallery, detector=Halves(), every=.5)
    assert report.indexed == gallery.count() == 6
    entry = first(gallery, 'white').entry
    assert entry.frame == 2
    crop = np.asarray(read_entry(f'{address}/videos', entry), int)
    assert np.abs(crop - np.asarray(couple('green', 'white').crop((16, 0, 32, 16)), int)).max() < 12


# ------------------------------------------------------------------ questions
def test_pictures_of_hits_are_read_from_the_store(store, gallery):
    index(store, gallery)
    searcher = TextToPersonInferencer(ColorEncoder(), gallery=gallery)
    hit, = searcher('green', topk=1)[0].hits
    assert np.array_equal(searcher.picture(hit), paint('green'))
    args = argparse.Namespace(images=None, gallery=str(gallery.uri))
    assert find_images(args) == as_path(store)
    args.images = as_path(f'{store}/none')
    with pytest.raises(MissingFile, match='the folder of its images was .*none, which is gone'):
        find_images(args)
    put_image(paint('white'), f'{store}/c2/green.png')
    with pytest.raises(UnreadableImage, match='changed since it was indexed'):
        searcher.picture(hit)
    from fsspec import filesystem
    filesystem('memory').rm(f'{store}/c2/green.png')
    with pytest.raises(UnreadableImage, match=f'^{store}/c2/green.png: no such file or folder$'):
        searcher.picture(hit)


@pytest.mark.parametrize('path', ['../red.png', 'c2/../../red.png', '/etc/passwd', '', '.',
                                  'memory://other/red.png', '../../../../red.png'])
def test_nothing_outside_the_root_is_read(store, path):
    with pytest.raises(UnreadableImage, match='outside the folder|no path'):
        locate(store, path)


def test_an_address_in_a_strangers_list_is_not_followed(store, tmp_path):
    """A text is a path of this machine; only a command line makes an address of one."""
    with pytest.raises(UnreadableImage, match='no such file'):
        read_bytes(f'{store}/red.png')
    with pytest.raises(NotADirectoryError):
        list(find_files(store, ('.png', )))
    assert Image.open(io.BytesIO(read_bytes(as_path(f'{store}/red.png')))).size == (8, 16)


def test_options_take_addresses_without_showing_a_password(tmp_path):
    assert path_or_address('crops/a') == Path('crops/a')
    assert path_or_address('az://crops/a') == as_path('az://crops', 'a')
    with pytest.raises(argparse.ArgumentTypeError, match='leave user') as refused:
        path_or_address('s3://me:hunter2@bucket')
    assert 'hunter2' not in str(refused.value)


def test_visitors_add_nothing_to_a_store(store, tmp_path):
    with pytest.raises(BadValue, match='not to an object store'):
        check_uploads(as_path(store), tmp_path)


def test_a_run_notes_addresses_alone(store, gallery, monkeypatch, tmp_path):
    """Nothing of the environment's credentials reaches the gallery or the log."""
    for name in ('AWS_SECRET_ACCESS_KEY', 'AZURE_STORAGE_ACCOUNT_KEY'):
        monkeypatch.setenv(name, 'hunter2')
    index(store, gallery, log=tmp_path / 'log.jsonl')
    written = [path.read_bytes() for path in Path(gallery.uri).rglob('*') if path.is_file()]
    written.append((tmp_path / 'log.jsonl').read_bytes())
    assert not any(b'hunter2' in text for text in written) and len(written) > 2
    note = json.loads(next(text for text in written if store.encode() in text))
    assert re.fullmatch(r'memory://bucket-[-0-9]+/crops', note['images'])
