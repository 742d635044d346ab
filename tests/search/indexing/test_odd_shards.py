"""Shards that were made wrong, or to do harm: nothing hangs, breaks a run or hides an image."""

import tarfile

import pytest
from fakes import paint
from indexing_rig import index, paths
from object_store_rig import new_bucket, put
from shard_rig import add, png, table, write_parquet, write_tar

from mmtbps.errors import BadValue
from mmtbps.fileio import packed_sources, parquet_images
from mmtbps.fileio.packed_images import PackedImagesError
from mmtbps.fileio.packed_sources import open_packed
from mmtbps.search.indexing.metadata import Metadata
from mmtbps.search.media.crops import read_entry


def header(name, size, kind=tarfile.REGTYPE):
    """A header of any size: a negative or huge one stands in the binary form of GNU tar."""
    member = tarfile.TarInfo(name)
    member.type = kind
    block = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    mark = 0o377 if size < 0 else 0o200
    block[124:136] = bytes([mark]) + (size % 256**11).to_bytes(11, 'big')
    block[148:156] = b'%06o\0 ' % tarfile.calc_chksums(bytes(block))[0]
    return bytes(block)


@pytest.mark.parametrize('content, said', [
    (header('b.png', 0) + header('a.png', -512), 'a member of -512 bytes before byte 512'),
    (header('a.png', 2**63), 'a member of 9,223,372,036,854,775,808 bytes'),
    (header('././@LongLink', 2**70, tarfile.GNUTYPE_LONGNAME), 'at byte 0'),
    ((header('././@LongLink', 5, tarfile.GNUTYPE_LONGNAME) + b'a.png'.ljust(512, b'\0')) * 2000,
     'recursion'),
])
def test_headers_that_would_hang_or_break_a_run_are_damage(content, said, tmp_path):
    (tmp_path / 'x.tar').write_bytes(content + bytes(1024))
    with pytest.raises(PackedImagesError, match=f'x.tar: .* damaged \\(.*{said}'):
        open_packed(str(tmp_path / 'x.tar'))


def test_the_last_of_equal_names_counts_be_it_a_link_or_a_file(tmp_path, gallery):
    with tarfile.open(tmp_path / 'x.tar', 'w') as shard:
        add(shard, 'file.png', png('red'))
        add(shard, './file.png', png('blue'))
        add(shard, 'link.png', png('red'))
        add(shard, 'link.png', b'', type=tarfile.LNKTYPE, linkname='file.png')
        add(shard, 'was_link.png', b'', type=tarfile.SYMTYPE, linkname='file.png')
        add(shard, 'was_link.png', png('green'))
    report = index(tmp_path / 'x.tar', gallery)
    assert report.skipped == [
        ('x.tar', "1 of its images are not read, such as 'link.png': no plain file")]
    assert paths(gallery) == ['x.tar/file.png', 'x.tar/was_link.png']
    entry = next(entry for entry in gallery.entries() if entry.path == 'x.tar/file.png')
    assert read_entry(tmp_path, entry).getpixel((0, 0)) == paint('blue').getpixel((0, 0))


def test_what_a_shard_no_longer_holds_goes_though_it_holds_a_link_too(tmp_path, gallery):
    write_tar(tmp_path / 'x.tar', ['red', 'green', 'blue'])
    index(tmp_path, gallery)
    with tarfile.open(tmp_path / 'x.tar', 'w') as shard:
        add(shard, 'red.png', png('red'))
        add(shard, 'blue.png', png('blue'))
        add(shard, 'link.png', b'', type=tarfile.SYMTYPE, linkname='red.png')
    report = index(tmp_path, gallery, prune=True)
    assert report.removed == 1 and [path for path, _ in report.skipped] == ['x.tar']
    assert paths(gallery) == ['x.tar/blue.png', 'x.tar/red.png']
    with tarfile.open(tmp_path / 'x.tar', 'w') as shard:  # as if all of it were meant otherwise
        add(shard, 'link.png', b'', type=tarfile.SYMTYPE, linkname='red.png')
    write_tar(tmp_path / 'y.tar', ['green'])
    assert index(tmp_path, gallery, prune=True).removed == 0


@pytest.mark.parametrize('pattern', ['cam_b', 'x.tar/cam_b', '**/cam_b/'])
def test_folders_in_a_shard_are_passed_over_as_others(pattern, tmp_path, gallery):
    with tarfile.open(tmp_path / 'x.tar', 'w') as shard:
        for name in ('cam_a/1', 'cam_b/1', 'cam_b/deep/2', 'cam_a/@eaDir/1.png/thumb'):
            add(shard, f'{name}.png', png('red'))
    report = index(tmp_path, gallery, exclude=[pattern])
    assert paths(gallery) == ['x.tar/cam_a/1.png'] and not report.unused
    assert sorted(report.passed_over) == ['x.tar/cam_a/@eaDir', 'x.tar/cam_b']


def test_joined_tar_files_and_endless_names_are_not_taken_for_less(tmp_path):
    for name in ('red', 'blue'):
        write_tar(tmp_path / f'{name}.tar', [name])
    both = b''.join((tmp_path / f'{name}.tar').read_bytes() for name in ('red', 'blue'))
    (tmp_path / 'both.tar').write_bytes(both)
    with pytest.raises(PackedImagesError, match='more follows its end mark, as if .* joined'):
        open_packed(str(tmp_path / 'both.tar'))
    put(tmp_path / 'both.tar', address := f'{new_bucket()}/both.tar')
    with pytest.raises(PackedImagesError, match='more follows its end mark'):
        open_packed(address)
    with tarfile.open(tmp_path / 'long.tar', 'w') as shard:
        add(shard, f'{"x" * 10_000}.png', png('red'))
        add(shard, 'short.png', png('red'))
    images = open_packed(str(tmp_path / 'long.tar'))
    assert [*images] == ['short.png'] and [*images.left_out.values()] == ['its name is too long']


def test_rows_of_a_rowsthat_name_images_as_the_shard_does_are_told(tmp_path, gallery):
    write_tar(tmp_path / 'x.tar', ['red', 'blue'])
    rows = {'red.png': Metadata(camera='a'), 'x.tar/blue.png': Metadata(camera='b'),
              'other/red.png': Metadata(camera='c')}
    report = index(tmp_path / 'x.tar', gallery, metadata=rows)
    assert report.unknown == ['red.png'] and report.similar == {'red.png': 'x.tar/red.png'}


def test_a_part_of_packed_images_is_not_taken_for_a_shard(tmp_path, gallery):
    (tmp_path / 'imgs.tars').mkdir()
    write_tar(tmp_path / 'imgs.tars/0.tar', ['red'])
    with pytest.raises(BadValue, match='0.tar: a part of the packed images of .*imgs.tars,'):
        index(tmp_path / 'imgs.tars/0.tar', gallery)


def test_a_reader_that_another_thread_puts_out_is_still_handed_over(tmp_path, monkeypatch):
    write_tar(tmp_path / 'x.tar', ['red'])
    monkeypatch.setattr(packed_sources, '_KEPT', 0)  # as if others came between
    assert [*open_packed(str(tmp_path / 'x.tar'))] == ['red.png']


# ------------------------------------------------------------------ parquet
def test_a_group_of_more_rows_than_are_read_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_images, '_AT_ONCE', 2)
    people = ['red', 'green', 'blue', 'white', 'black']
    write_parquet(tmp_path / 'x.parquet', people, group=5)
    images = open_packed(str(tmp_path / 'x.parquet'))
    assert [images.read(name) for name in images] == [*map(png, people)]


def test_rows_that_the_rowsof_a_file_promises_and_its_pages_lack(tmp_path, monkeypatch):
    write_parquet(tmp_path / 'x.parquet', ['red', 'green'], group=2)
    images = open_packed(str(tmp_path / 'x.parquet'))
    monkeypatch.setitem(images._rows, 'cam/more.png', (0, 2))
    with pytest.raises(PackedImagesError, match='damaged; take a new copy'):
        images.read('cam/more.png')


def test_views_of_bytes_are_images(tmp_path, gallery):
    arrow = pytest.importorskip('pyarrow')
    table(tmp_path / 'x.parquet', image=arrow.array([png('red')], arrow.binary_view()))
    assert index(tmp_path, gallery).indexed == 1


def test_a_file_without_a_row_is_said(tmp_path, gallery):
    arrow = pytest.importorskip('pyarrow')
    table(tmp_path / 'x.parquet', image=arrow.array([], arrow.binary()))
    with pytest.raises(BadValue, match='x.parquet: no row in it'):
        index(tmp_path / 'x.parquet', gallery)
