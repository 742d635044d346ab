"""Data sets in an object store: the same items and pixels as from a folder of this machine."""

import csv
import io

import numpy as np
import pytest
from mmengine.fileio import get, get_text
from object_store_rig import new_bucket, put
from torch.utils.data import DataLoader

from mmtbps.datasets import CUHKPEDES, ImageTextPairs
from mmtbps.datasets.conversion import convert_data
from mmtbps.datasets.images import decode_error, find_missing_images, find_other_names, read_picture
from mmtbps.datasets.packed import PackedImages, PackedImagesError, absolute_path, image_path
from mmtbps.datasets.transforms import LoadImageFromFile
from mmtbps.datasets.write_packed import pack_images
from mmtbps.errors import BadValue, MissingFile
from mmtbps.fileio import as_path, packed_sources


@pytest.fixture
def stored(own):
    """The data set of `own` in a store, packed too: its address."""
    address = new_bucket()
    pack_images(own / 'imgs', own / 'imgs.tars', 1000)
    put(own, f'{address}/own')
    return f'{address}/own'


def items_of(dataset, root):
    """Items with the place of the data set taken out of their paths."""
    return [{key: value.replace('packed+', '').replace('packed://', '').replace(str(root), 'ROOT')
             if key == 'img_path' else value
             for key, value in dataset.get_data_info(place).items()}
            for place in range(len(dataset))]


@pytest.mark.parametrize('images', ['imgs', 'imgs.tars'])
@pytest.mark.parametrize('test_mode', [False, True])
def test_items_are_those_of_the_folder(own, stored, build, images, test_mode):
    arguments = dict(data_prefix=dict(img_path=images), test_mode=test_mode, verify_images=True)
    here, there = (build(root, **arguments) for root in (own, stored))
    assert items_of(there, stored) == items_of(here, own)
    assert there.metainfo == here.metainfo
    load = LoadImageFromFile()
    for place in range(len(there)):
        mine, its = (load(dataset.get_data_info(place)) for dataset in (here, there))
        assert np.array_equal(mine['img'], its['img'])


def test_a_folder_of_packed_images_stands_for_one_that_is_not_there(own, stored, build):
    from fsspec import filesystem
    filesystem('memory').rm(f'{stored}/imgs', recursive=True)
    assert build(stored).get_data_info(0)['img_path'].startswith(f'packed+{stored}/imgs.tars/')
    filesystem('memory').rm(f'{stored}/imgs.tars', recursive=True)
    with pytest.raises(MissingFile, match=f'Image folder {stored}/imgs of {stored}/pairs.jsonl'):
        build(stored)


def test_annotations_here_and_images_there(own, stored, build):
    """As where the annotations are edited and the pictures are many."""
    dataset = build(own, data_prefix=dict(img_path=f'{stored}/imgs'))
    assert dataset.get_data_info(0)['img_path'] == f'{stored}/imgs/10_0.jpg'
    assert len(dataset) == len(build(own))


def test_patterns_and_published_names(own, stored, build, cuhk_root):
    put(own / 'pairs.jsonl', f'{stored}/part-2.jsonl')
    files = build(stored, ann_file='p*s.jsonl'), build(stored, ann_file='*.jsonl', shared_ids=True)
    assert [len(dataset.metainfo['ann_files']) for dataset in files] == [1, 2]
    put(cuhk_root / 'reid_raw.json', f'{stored}/cuhk/reid_raw.json')
    put(cuhk_root / 'imgs', f'{stored}/cuhk/imgs')
    cuhk = CUHKPEDES(data_root=f'{stored}/cuhk', split='train')
    assert len(cuhk) == len(CUHKPEDES(data_root=str(cuhk_root), split='train'))


@pytest.mark.parametrize('suffix', ['csv', 'parquet'])
def test_tables_are_read_alike(own, stored, suffix):
    rows = [dict(image=f'{name}.jpg', caption=f'Someone {name}.') for name in ('10_0', '11_0')]
    if suffix == 'csv':
        text = io.StringIO()
        table = csv.DictWriter(text, list(rows[0]), lineterminator='\n')
        table.writeheader()
        table.writerows(rows)
        (own / 'table.csv').write_text(text.getvalue())
    else:
        arrow = pytest.importorskip('pyarrow')
        import pyarrow.parquet as parquet
        parquet.write_table(arrow.Table.from_pylist(rows), own / 'table.parquet')
    put(own / f'table.{suffix}', f'{stored}/table.{suffix}')
    here, there = (ImageTextPairs(
        data_root=str(root), ann_file=f'table.{suffix}', split='train', holdout=0,
        data_prefix=dict(img_path='imgs')) for root in (own, stored))
    assert items_of(there, stored) == items_of(here, own) and len(there) == 2


def test_what_is_missing_or_broken_is_told(own, stored, build):
    from fsspec import filesystem
    filesystem('memory').rm(f'{stored}/imgs/10_0.jpg')
    filesystem('memory').pipe(f'{stored}/imgs/11_0.JPG', b'')
    filesystem('memory').pipe(f'{stored}/imgs/12_0.jpg', b'no picture')
    gone = [f'{stored}/imgs/{name}.jpg' for name in ('10_0', '11_0')]
    filesystem('memory').rm(gone[1])
    assert find_missing_images([*gone, f'{stored}/imgs/12_0.jpg']) == set(gone)
    assert find_other_names(gone) == {gone[1]: '11_0.JPG'}
    assert 'no image' in decode_error(f'{stored}/imgs/12_0.jpg')
    with pytest.raises(Exception, match='10_0.jpg cannot be read .*no such file or folder'):
        read_picture(gone[0])
    dataset = build(stored, verify_images=True)
    assert len(dataset.skipped) == 3
    with pytest.raises(MissingFile, match=f'Annotation file {stored}/none.jsonl not found'):
        build(stored, ann_file='none.jsonl')
    with pytest.raises(BadValue, match='merged pairs are read from a folder of this machine'):
        build(own, pairs_root=f'{stored}/run')


def test_packed_images_in_a_store_are_the_bytes_of_the_files(own, stored):
    images = PackedImages(f'{stored}/imgs.tars')
    assert list(images) == sorted(path.name for path in (own / 'imgs').iterdir())
    for name in images:
        path = image_path(f'{stored}/imgs.tars', name)
        assert get(path) == (own / 'imgs' / name).read_bytes() == images.read(name)
        assert absolute_path(path) == path
    assert get_text(f'{stored}/pairs.jsonl') == (own / 'pairs.jsonl').read_text()
    with pytest.raises(MissingFile, match="no image 'none.jpg'"):
        images.read('none.jpg')


def test_a_damaged_shard_in_a_store_is_named(stored):
    from fsspec import filesystem
    store, tar = filesystem('memory'), f'{stored}/imgs.tars/000000.tar'
    whole = store.cat_file(tar)
    store.pipe(tar, whole.replace(b'\xff\xd8', b'\xff\xd9'))
    with pytest.raises(PackedImagesError, match=f"{tar}: '10_0.jpg' is damaged"):
        PackedImages(f'{stored}/imgs.tars').read('10_0.jpg')
    store.pipe(tar, whole[:600])
    with pytest.raises(PackedImagesError, match=f'{tar} ends after 600 bytes'):
        PackedImages(f'{stored}/imgs.tars')
    store.rm(tar.replace('.tar', '.npy').replace('imgs.npys', 'imgs.tars'))
    with pytest.raises(PackedImagesError, match='000000.npy'):
        PackedImages(f'{stored}/imgs.tars')
    with pytest.raises(MissingFile, match='no folder with shards'):
        PackedImages(f'{stored}/imgs')


def test_workers_that_are_forked_read_too(stored, build):
    """The file systems of fsspec are not for another process than the one that opened them."""
    dataset = build(stored, data_prefix=dict(img_path='imgs.tars'),
                    pipeline=[dict(type=LoadImageFromFile)])
    alone = [dataset[place]['img'] for place in range(len(dataset))]
    packed_sources._readers.clear()
    loader = DataLoader(dataset, batch_size=None, num_workers=2, multiprocessing_context='fork')
    for mine, its in zip(alone, loader, strict=True):
        assert np.array_equal(mine, its['img'])


@pytest.mark.parametrize('form', ['webdataset', 'parquet'])
def test_shards_in_a_store_are_converted_as_those_of_a_folder(own, tmp_path, form):
    if form == 'parquet':
        pytest.importorskip('pyarrow')
    convert_data(own, tmp_path / 'shards', to=form, form='jsonl', ann_file='pairs.jsonl',
                 images='imgs')
    address = new_bucket()
    put(tmp_path / 'shards', f'{address}/shards')
    for place, target in ((tmp_path / 'shards', 'here'), (f'{address}/shards', 'there')):
        assert convert_data(place, tmp_path / target, to='jsonl').records == 8
    here, there = ({path.relative_to(tmp_path / name): path.read_bytes()
                    for path in (tmp_path / name).rglob('*') if path.is_file()}
                   for name in ('here', 'there'))
    assert here == there and len(here) == 9
    with pytest.raises(BadValue, match='nothing is written to object stores'):
        convert_data(tmp_path / 'shards', f'{address}/new', to='jsonl')
    with pytest.raises(MissingFile, match='none: no such file or folder'):
        convert_data(as_path(address) / 'none', tmp_path / 'new')
