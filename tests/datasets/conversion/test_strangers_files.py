"""Parquet and shards as strangers have them: other habits are read, damage and traps are named."""

import io
import json
import os
import tarfile

import pytest

from mmtbps.datasets.conversion import convert_data, webdataset_shards
from mmtbps.errors import BadValue, RecordError
from mmtbps.fileio import DiskFull

arrow = pytest.importorskip('pyarrow')
import pyarrow.parquet as parquet  # noqa: E402

GOOD = dict(person_id=1, captions=['a man'], split='train')


def write_shard(file, members, mode='w'):
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(file, mode) as shard:
        for name, content in members.items():
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            shard.addfile(member, io.BytesIO(data))
    return file


def write_rows(file, *rows):
    file.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(arrow.Table.from_pylist(list(rows)), file)
    return file


def row(**changes):
    return dict(image=dict(bytes=b'\xff\xd8 one', path='a.jpg'), captions=['a man'],
                person_id=1) | changes


def read_back(folder):
    lines = (folder / 'pairs.jsonl').read_text('utf-8').splitlines()
    images = {path.relative_to(folder / 'images').as_posix(): path.read_bytes()
              for path in (folder / 'images').rglob('*') if path.is_file()}
    return [json.loads(line) for line in lines], images


# ------------------------------------------------------------------ habits
@pytest.mark.parametrize('name', ['x.tar.gz', 'x.tgz', 'x.tar'])
def test_compressed_shards_are_read(name, tmp_path):
    write_shard(tmp_path / 'in' / name, {'a.jpg': b'1', 'a.json': GOOD}, 'w:gz')
    for place in (tmp_path / 'in', tmp_path / 'in' / name):
        convert_data(place, tmp_path / f'out_{place.name}')
        assert read_back(tmp_path / f'out_{place.name}') == ([GOOD | dict(image='a.jpg')],
                                                             {'a.jpg': b'1'})


def test_shards_that_count_from_nought_each_stay_apart(tmp_path):
    for number in range(2):
        write_shard(tmp_path / f'in/train-{number}.tar',
                    {'000.jpg': b'%d' % number, '000.json': dict(id=number, caption='a man')})
    convert_data(tmp_path / 'in', tmp_path / 'out')
    records, images = read_back(tmp_path / 'out')
    assert images == {'train-0/000.jpg': b'0', 'train-1/000.jpg': b'1'}
    assert [(record['image'], record['person_id']) for record in records] == [
        ('train-0/000.jpg', 0), ('train-1/000.jpg', 1)]


def test_captions_under_caption_and_images_of_two_suffixes(tmp_path):
    write_shard(tmp_path / 'train-0.tar', {
        'a.jpg.jpg': b'1', 'a.json': dict(id=1, caption=['a man', 'in red']),
        'b.mask.png': b'3', 'b.jpg': b'2', 'b.json': dict(id=1, caption='he')})
    convert_data(tmp_path / 'train-0.tar', tmp_path / 'out')
    records, images = read_back(tmp_path / 'out')
    assert images == {'a.jpg.jpg': b'1', 'b.jpg': b'2'}
    assert [record['captions'] for record in records] == [['a man', 'in red'], ['he']]


@pytest.mark.parametrize('theirs, ours', [('validation', 'val'), ('dev', 'val'), ('valid', 'val'),
                                          ('Train', 'train'), ('query', 'query')])
def test_splits_have_our_names(theirs, ours, tmp_path):
    """Our data sets know no split called validation."""
    write_shard(tmp_path / 'x.tar', {'a.jpg': b'1', 'a.json': GOOD | dict(split=theirs)})
    convert_data(tmp_path / 'x.tar', tmp_path / 'shard')
    convert_data(write_rows(tmp_path / 'x.parquet', row(split=theirs)), tmp_path / 'rows')
    assert {read_back(tmp_path / name)[0][0]['split'] for name in ('shard', 'rows')} == {ours}


def test_the_folder_may_say_the_split(tmp_path):
    write_rows(tmp_path / 'in/dev/part-0.parquet', row())
    convert_data(tmp_path / 'in', tmp_path / 'rows')
    write_shard(tmp_path / 'shards/dev/0.tar', {'a.jpg': b'1', 'a.json': dict(
        id=1, caption='a man')})
    convert_data(tmp_path / 'shards', tmp_path / 'shard')
    assert {read_back(tmp_path / name)[0][0]['split'] for name in ('shard', 'rows')} == {'val'}
    write_rows(tmp_path / 'other/test_things/part-0.parquet', row())
    with pytest.raises(BadValue, match='neither a column nor its name says the split'):
        convert_data(tmp_path / 'other', tmp_path / 'out')


def test_hidden_files_are_no_part(tmp_path):
    """Those of a conversion that was killed, and of another system."""
    write_rows(tmp_path / 'in/train-0.parquet', row())
    write_rows(tmp_path / 'in/.out.partial-12345678/data/train-0.parquet', row())
    (tmp_path / 'in/._train-0.parquet').write_bytes(b'mac')
    assert convert_data(tmp_path / 'in', tmp_path / 'out').records == 1


def test_half_letters_go_where_they_can(tmp_path):
    shard = write_shard(tmp_path / 'x.tar', {'a.jpg': b'1', 'a.json': GOOD | dict(
        captions=['r\xe9d \ud800'])})
    convert_data(shard, tmp_path / 'out')
    assert read_back(tmp_path / 'out')[0][0]['captions'] == ['r\xe9d \ud800']
    with pytest.raises(RecordError, match=r"key a: 'r\xe9d \\ud800' holds half of a letter, which"):
        convert_data(shard, tmp_path / 'rows', 'parquet')
    assert not (tmp_path / 'rows').exists()


# ------------------------------------------------------------------ damage and traps
@pytest.mark.parametrize('damage', [
    lambda data: data[:3072], lambda data: data[:3000], lambda data: data[:3000 - 400],
    lambda data: data[:2048] + b'\xff' * 512 + data[2560:]])
def test_a_shard_that_ends_early_is_not_taken_for_whole(damage, tmp_path):
    """Python's tarfile takes a broken header behind the first for the end."""
    file = write_shard(tmp_path / 'x.tar', {'a.jpg': b'1', 'a.json': GOOD, 'b.jpg': b'2',
                                            'b.json': GOOD})
    whole = file.read_bytes()
    assert convert_data(file, tmp_path / 'whole').records == 2
    file.write_bytes(damage(whole))
    with pytest.raises(BadValue, match=r'x\.tar: no tar file, or damaged'):
        convert_data(file, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_a_compressed_shard_that_is_damaged_is_named(tmp_path):
    file = write_shard(tmp_path / 'x.tar.gz', {'a.jpg': os.urandom(9000), 'a.json': GOOD}, 'w:gz')
    whole = file.read_bytes()
    for data in (whole[:5000], whole[:4000] + b'\xff' * 200 + whole[4200:]):
        file.write_bytes(data)
        with pytest.raises(BadValue, match=r'x\.tar\.gz: no tar file, or damaged'):
            convert_data(file, tmp_path / 'out')


def test_a_member_of_any_size_is_not_read(tmp_path, monkeypatch):
    file = write_shard(tmp_path / 'x.tar', {'a.jpg': b'12345', 'a.json': GOOD})
    monkeypatch.setattr(webdataset_shards, '_MOST_BYTES', 4)
    with pytest.raises(BadValue, match='a.jpg has 5 bytes, more than the 4 of any image'):
        convert_data(file, tmp_path / 'out')


@pytest.mark.parametrize('changes, error', [
    (dict(image='a\0b.jpg'), 'cannot have the path .*embedded null byte'),
    (dict(image='x' * 300 + '.jpg'), 'cannot have the path .*File name too long'),
    (dict(captions=[1]), "key 'captions' must hold strings only, got 1"),
    (dict(captions='a man'), "key 'captions' must be a list")])
def test_a_record_that_cannot_be_kept_is_named(changes, error, tmp_path):
    write_shard(tmp_path / 'x.tar', {'a.jpg': b'1', 'a.json': GOOD | changes})
    with pytest.raises(RecordError, match=f'x.tar, key a: .*{error}'):
        convert_data(tmp_path / 'x.tar', tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_json_as_deep_as_the_sea_is_named(tmp_path):
    write_shard(tmp_path / 'x.tar', {'a.jpg': b'1', 'a.json': b'[' * 100_000})
    with pytest.raises(BadValue, match='key a: its JSON or text cannot be read'):
        convert_data(tmp_path / 'x.tar', tmp_path / 'out')


def test_an_image_below_another_image_is_named(tmp_path):
    write_shard(tmp_path / 'x.tar', {
        'a.jpg': b'1', 'a.json': GOOD | dict(image='a'),
        'b.jpg': b'2', 'b.json': GOOD | dict(image='a/b.jpg')})
    with pytest.raises(RecordError, match="key b: its image cannot have the path 'a/b.jpg'"):
        convert_data(tmp_path / 'x.tar', tmp_path / 'out')


def test_a_full_disk_is_no_fault_of_a_record(tmp_path, monkeypatch):
    write_shard(tmp_path / 'x.tar', {'a.jpg': b'1', 'a.json': GOOD})

    def full(*_, **__):
        raise OSError(28, 'No space left on device')
    monkeypatch.setattr('pathlib.Path.open', full)
    with pytest.raises(DiskFull):
        convert_data(tmp_path / 'x.tar', tmp_path / 'out')


@pytest.mark.parametrize('changes, error', [
    (dict(captions=[dict(raw='a man')]), "key 'captions' must hold strings only"),
    (dict(image=dict(bytes=None, path=None)), 'neither an image nor the path of one'),
    (dict(image=None), 'neither an image nor the path of one')])
def test_a_row_that_says_nothing_is_named(changes, error, tmp_path):
    write_rows(tmp_path / 'train.parquet', row(), row(**changes)) if 'image' in changes else (
        write_rows(tmp_path / 'train.parquet', row(**changes)))
    with pytest.raises(RecordError, match=f'train.parquet, row [12]: .*{error}'):
        convert_data(tmp_path / 'train.parquet', tmp_path / 'out')


def test_an_image_without_a_name_is_called_by_its_content(tmp_path):
    write_rows(tmp_path / 'train.parquet', row(image=dict(bytes=b'\x89PNG', path='')))
    convert_data(tmp_path / 'train.parquet', tmp_path / 'out')
    records, images = read_back(tmp_path / 'out')
    assert images == {records[0]['image']: b'\x89PNG'} and records[0]['image'].endswith('.png')


def test_damage_in_our_parquet_is_found_in_images_too(tmp_path):
    """Bytes of an image that are others: only a checksum tells."""
    marks = [os.urandom(2000) for _ in range(3)]
    images = {f'{i}.jpg': mark for i, mark in enumerate(marks)}
    members = images | {f'{i}.json': GOOD for i in range(3)}
    write_shard(tmp_path / 'x.tar', dict(sorted(members.items())))
    convert_data(tmp_path / 'x.tar', tmp_path / 'rows', 'parquet')
    file, = (tmp_path / 'rows/data').iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole.replace(marks[1][900:910], b'0123456789'))
    assert file.read_bytes() != whole
    with pytest.raises(BadValue, match='train-00000.parquet: damaged; take a new copy'):
        convert_data(tmp_path / 'rows', tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_images_wait_in_groups_of_few_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr('mmtbps.datasets.conversion.parquet_files._HELD', 1000)
    write_shard(tmp_path / 'x.tar', {name: content for i in range(6) for name, content in (
        (f'{i}.jpg', os.urandom(400)), (f'{i}.json', GOOD))})
    convert_data(tmp_path / 'x.tar', tmp_path / 'rows', 'parquet')
    content = parquet.ParquetFile(tmp_path / 'rows/data/train-00000.parquet')
    assert [content.metadata.row_group(i).num_rows for i in range(content.num_row_groups)] == [3, 3]
