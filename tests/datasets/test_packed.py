"""Packed images: the same bytes and the same items as from a folder, and errors that help."""

import pickle
import shlex
import shutil
import sys

import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile
from mmengine.fileio import get
from torch.utils.data import DataLoader

from mmtbps.commands.wording.user_errors import word_error
from mmtbps.datasets import SeededSampler
from mmtbps.datasets.packed import PackedImages, PackedImagesError, image_path, open_packed
from mmtbps.datasets.transforms import PDGTransform
from mmtbps.datasets.write_packed import pack_images
from mmtbps.fileio import append_json_lines, as_path, packed_images, packed_sources
from mmtbps.fileio.packed_addresses import images_place
from mmtbps.records import PairRecord


@pytest.fixture(autouse=True)
def _no_reader_of_another_test():
    packed_sources._readers.clear()


@pytest.fixture
def pack(own):
    """A function that packs the images of `own` into shards of two images or so."""

    def make(shard_size=1000):
        pack_images(own / 'imgs', own / 'imgs.tars', shard_size)
        return own / 'imgs.tars'

    return make


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def same(a, b):
    return a.keys() == b.keys() and all(
        np.array_equal(a[key], b[key]) for key in a if key != 'img_path')


# Reading -----------------------------------------------------------------------------------------

def test_bytes_and_pixels_are_those_of_the_files(own, pack):
    folder = pack()
    assert len(list(folder.glob('*.tar'))) > 2
    for name in names_in(own / 'imgs'):
        path = image_path(folder, name)
        assert get(path) == (own / 'imgs' / name).read_bytes()
        from_folder, from_tar = (LoadImageFromFile()(dict(img_path=place))
                                 for place in (str(own / 'imgs' / name), path))
        assert same(from_folder, from_tar)
    assert list(PackedImages(folder)) == names_in(own / 'imgs')


@pytest.mark.parametrize('name', ['10_0.jpg', './10_0.jpg', 'no/../10_0.jpg'])
def test_a_name_may_be_written_in_other_ways(own, pack, name):
    assert get(image_path(pack(), name)) == (own / 'imgs/10_0.jpg').read_bytes()


@pytest.mark.parametrize('name', ['', '10_0', '10_0.jpgg', '0.jpg', 'z.jpg', 'x' * 300, 'ä.jpg',
                                  '../imgs/10_0.jpg', '/etc/hostname'])
def test_what_is_not_packed_is_not_found(pack, name):
    folder = pack()
    assert name not in PackedImages(folder)
    with pytest.raises(FileNotFoundError, match=r'imgs\.tars|like'):
        get(image_path(folder, name))


@pytest.mark.skipif(sys.getfilesystemencoding() == 'ascii', reason='names beyond ASCII')
def test_names_of_many_folders_in_shards_that_overlap(tmp_path, write_image):
    names = [f'{folder}/{i}ß.jpg' for folder in ('b', 'a/c', 'a') for i in range(4)]
    for first in range(3):  # every third name, then the next third, and so on
        for name in names[first::3]:
            write_image(tmp_path / 'imgs' / name)
        pack_images(tmp_path / 'imgs', tmp_path / 'imgs.tars', 1500)
    reader = PackedImages(tmp_path / 'imgs.tars')
    assert len(reader.shards) >= 6 and len(reader) == 12 and set(reader) == set(names)
    assert all(reader.read(name) == (tmp_path / 'imgs' / name).read_bytes() for name in names)


def test_they_may_lie_in_a_folder_that_is_called_so(tmp_path, write_image):
    write_image(tmp_path / 'imgs/a/1.jpg')
    folder = tmp_path / 'old.tars/imgs.tars'
    pack_images(tmp_path / 'imgs', folder)
    path = image_path(folder, 'a/1.jpg')
    assert get(path) == as_path(path).read_bytes() == (tmp_path / 'imgs/a/1.jpg').read_bytes()
    assert [str(one) for one in images_place(folder).files_below()] == [path]


@pytest.mark.parametrize('limit', [0, 2])
def test_few_shards_are_open_at_a_time(pack, monkeypatch, limit):
    opened = []
    monkeypatch.setattr(packed_images, '_MAX_OPEN', limit)
    monkeypatch.setattr(packed_images, '_open_unbuffered',
                        lambda path: opened.append(path) or open(path, 'rb', buffering=0))
    reader = PackedImages(pack(1))
    for name in reader:
        reader.read(name)
    assert len(opened) == 8
    assert reader._open.cache_info().currsize == limit


# Data sets ---------------------------------------------------------------------------------------

def items_of(dataset, context, workers=2):
    loader = DataLoader(dataset, batch_size=None, num_workers=workers,
                        sampler=SeededSampler(dataset, seed=3),
                        multiprocessing_context=context)
    return list(loader)


@pytest.mark.parametrize('context', [
    'fork', pytest.param('spawn', marks=pytest.mark.slow)])  # importing takes the time
def test_a_data_set_gives_the_same_items(build, own, pack, context):
    pack()
    folder, tars = (build(own, data_prefix=dict(img_path=images), pipeline=[LoadImageFromFile()])
                    for images in ('imgs', 'imgs.tars'))
    for a, b in zip(items_of(folder, context), items_of(tars, context), strict=True):
        assert same(a, b) and b['img_path'] == image_path(own / 'imgs.tars',
                                                          a['img_path'].split('/')[-1])


def test_a_data_set_for_a_new_process_carries_no_reader(build, own, pack):
    pack()
    dataset = build(own, data_prefix=dict(img_path='imgs.tars'), pipeline=[LoadImageFromFile()])
    expected, pickled = dataset[0], pickle.dumps(dataset)
    packed_sources._readers.clear()  # as in a process that was spawned
    assert same(pickle.loads(pickled)[0], expected)


def test_the_packed_folder_stands_in_for_the_one_that_is_gone(build, own, pack):
    pack()
    before = build(own, pipeline=[LoadImageFromFile()])[0]
    shutil.rmtree(own / 'imgs')
    after = build(own, pipeline=[LoadImageFromFile()])[0]
    assert same(before, after) and after['img_path'].startswith('packed://')


@pytest.mark.parametrize('images', ['imgs', 'imgs.tars'])
def test_missing_and_broken_images_are_skipped_alike(build, own, pack, images):
    (own / 'imgs/10_1.jpg').unlink()
    broken = own / 'imgs/12_0.jpg'
    broken.write_bytes(broken.read_bytes()[:200])
    pack()
    prefix = dict(img_path=images)
    dataset = build(own, data_prefix=prefix, test_mode=True, allow_missing=True)
    assert [(skip.record, skip.kind) for skip in dataset.skipped] == [
        (2, 'missing image'), (5, 'undecodable image')]
    assert '10_1.jpg' in str(dataset.skipped[0]) and '12_0.jpg' in str(dataset.skipped[1])
    train = build(own, data_prefix=prefix, pipeline=[LoadImageFromFile()])
    assert train[6]['img_path'].endswith('12_1.jpg')


def test_images_packed_later_are_seen_by_the_next_data_set(build, own, pack):
    moved = (own / 'imgs/13_1.jpg').rename(own / '13_1.jpg')
    pack()
    assert len(build(own, data_prefix=dict(img_path='imgs.tars'))) == 14
    moved.rename(own / 'imgs/13_1.jpg')
    pack()
    assert len(build(own, data_prefix=dict(img_path='imgs.tars'))) == 16


def test_generated_neighbours_are_found_by_packed_sources(build, own, pack):
    (own / 'pdg/images').mkdir(parents=True)
    shutil.copy(own / 'imgs/11_0.jpg', own / 'pdg/images/a.jpg')
    append_json_lines(own / 'pdg/pairs.jsonl', [
        PairRecord('a.jpg', ('Green.',), 14, 'train', source='10_0.jpg').to_json()])
    pack_images(own / 'pdg/images', own / 'pdg/images.tars')
    sources = pack()
    exchange = PDGTransform(str(own / 'pdg/pairs.jsonl'), source_root=str(sources) + '/',
                            img_root=str(own / 'pdg/images.tars'), prob=1.)
    dataset = build(own, data_prefix=dict(img_path='imgs.tars'),
                    pipeline=[exchange, LoadImageFromFile()])
    original = LoadImageFromFile()(dict(img_path=str(own / 'imgs/11_0.jpg')))
    assert dataset[0]['caption'] == 'Green.'
    assert np.array_equal(dataset[0]['img'], original['img'])
    with pytest.raises(FileNotFoundError, match='is not the image folder'):
        PDGTransform(str(own / 'pdg/pairs.jsonl'), source_root=str(own / 'pdg/images.tars'))


# Faults ------------------------------------------------------------------------------------------

def cut(path, length):
    path.write_bytes(path.read_bytes()[:length])


def unsorted(path):
    index = np.load(path)
    np.save(path, index[::-1])


def pickled(path):
    np.save(path, np.array([dict(name='10_0.jpg')]), allow_pickle=True)


@pytest.mark.parametrize('harm', [
    lambda path: path.unlink(), lambda path: cut(path, 0), lambda path: cut(path, 40),
    lambda path: cut(path, path.stat().st_size - 8), lambda path: np.save(path, np.zeros((3, 2))),
    unsorted, pickled])
def test_a_broken_index_is_named_with_its_cure(build, own, pack, harm):
    folder = pack()
    path = sorted(folder.glob('*.npy'))[1]
    harm(path)
    with pytest.raises(PackedImagesError, match=rf'{path.name}.*ack the same folder') as error:
        build(own, data_prefix=dict(img_path='imgs.tars'))
    assert word_error(error.value).endswith(
        f': mmtbps pack FOLDER {shlex.quote(str(folder))}')
    if path.exists():
        assert f'Delete {path.name}' in str(error.value)
        path.unlink()
    pack()  # what the message says
    assert len(build(own, data_prefix=dict(img_path='imgs.tars'))) == 16


def test_a_short_shard_is_named_with_its_cure(build, own, pack):
    folder = pack()
    tar = sorted(folder.glob('*.tar'))[1]
    cut(tar, 1024)
    message = rf'{tar.name} ends after 1,024 bytes.*delete {tar.name} and {tar.stem}\.npy'
    with pytest.raises(PackedImagesError, match=message):
        build(own, data_prefix=dict(img_path='imgs.tars'))
    tar.unlink()
    tar.with_suffix('.npy').unlink()
    pack()
    assert len(build(own, data_prefix=dict(img_path='imgs.tars'))) == 16


def test_a_changed_byte_is_a_broken_image_and_harms_no_other(build, own, pack):
    folder = pack(10**6)
    tar, = folder.glob('*.tar')
    data = bytearray(tar.read_bytes())
    entry = next(e for e in PackedImages(folder).shards[0].index if e['name'] == b'10_1.jpg')
    data[entry['offset'] + entry['size'] // 2] ^= 1
    tar.write_bytes(data)
    with pytest.raises(PackedImagesError, match=r"000000\.tar: '10_1\.jpg' is damaged"):
        get(image_path(folder, '10_1.jpg'))
    dataset = build(own, data_prefix=dict(img_path='imgs.tars'), test_mode=True,
                    allow_missing=True)
    assert len(dataset) == 7
    assert 'is damaged' in str(dataset.skipped[0])


def test_an_index_of_another_shard_is_found_out(pack):
    folder = pack()
    first, second, *_ = sorted(folder.glob('*.npy'))
    shutil.copy(second, first)
    name = PackedImages(folder).shards[0].names[0].decode()
    with pytest.raises(PackedImagesError, match=r'000000\.npy belongs to another shard'):
        open_packed(str(folder), fresh=True).read(name)


@pytest.mark.parametrize(('name', 'offset', 'size'), [
    (b'a', -600, 10), (b'a', 512, -1), (b'a', 2**62, 2**62), (b'a', 10**6, 1), (b'a', 0, 10**6)])
def test_places_outside_the_file_are_refused(pack, name, offset, size):
    folder = pack(10**6)
    np.save(folder / '000000.npy',
            np.array([(name, offset, size, 0)], dtype=packed_images.index_dtype(1)))
    with pytest.raises(PackedImagesError, match=r'000000'):
        PackedImages(folder)


def test_a_folder_without_shards(build, own):
    (own / 'imgs.tars').mkdir()
    with pytest.raises(FileNotFoundError, match=r'imgs\.tars: no folder with shards'):
        build(own, data_prefix=dict(img_path='imgs.tars'))
