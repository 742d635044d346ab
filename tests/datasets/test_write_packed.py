"""Packing images: nothing lost by a kill, nothing dangerous taken in, nothing changed."""

import io
import itertools
import multiprocessing
import os
import signal
import sys
import tarfile

import numpy as np
import pytest

from mmtbps.datasets import write_packed
from mmtbps.datasets.packed import PackedImages, PackedImagesError
from mmtbps.datasets.write_packed import differing, pack_images
from mmtbps.fileio import DiskFull, file_lock


@pytest.fixture
def images(tmp_path):
    """A folder of twelve files that pass for images, of sizes around a block of tar."""
    for number, size in enumerate([0, 1, 511, 512, 513, 1023, 1024, 1025, 2000, 7, 300, 5000]):
        path = tmp_path / f'imgs/{number % 3}/{number}.jpg'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(np.random.default_rng(number).bytes(size))
    return tmp_path / 'imgs'


@pytest.fixture
def out(tmp_path):
    return tmp_path / 'imgs.tars'


def content(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob('*.jpg')}


def packed_content(out):
    reader = PackedImages(out)
    return {name: reader.read(name) for name in reader}


def names_in(out, pattern):
    return sorted(path.name for path in out.glob(pattern))


@pytest.mark.parametrize('workers', [1, 3])
def test_bytes_stay_and_any_tool_reads_them(images, out, workers):
    result = pack_images(images, out, shard_size=2000, workers=workers)
    assert (result.packed, result.before, result.skipped) == (12, 0, [])
    assert packed_content(out) == content(images)
    members = {}
    for path in sorted(out.glob('*.tar')):
        with tarfile.open(path) as tar:
            members |= {member.name: tar.extractfile(member).read() for member in tar}
    assert members == content(images)
    assert names_in(out, '*.tar') == [f'{i:06d}.tar' for i in range(len(names_in(out, '*.npy')))]


def test_a_second_run_adds_what_is_new_and_leaves_the_rest(images, out):
    pack_images(images, out, shard_size=2000)
    before = {path.name: path.stat().st_mtime_ns for path in out.glob('*.tar')}
    assert pack_images(images, out) == (0, 12, [])
    (images / 'new').mkdir()
    (images / 'new/a.JPG').write_bytes(b'new')
    assert pack_images(images, out) == (1, 12, [])
    after = {path.name: path.stat().st_mtime_ns for path in out.glob('*.tar')}
    assert before.items() < after.items() and len(after) == len(before) + 1
    assert PackedImages(out).read('new/a.JPG') == b'new'


def test_a_kill_at_any_moment_loses_nothing(images, out, monkeypatch):
    """A process dies before each write, rename and fsync in turn; the next one goes on."""

    def run_until(moment, out):
        calls = itertools.count()

        def dying(function):
            def call(*args, **kwargs):
                if next(calls) == moment:
                    os.kill(os.getpid(), signal.SIGKILL)
                return function(*args, **kwargs)
            return call

        monkeypatch.setattr(os, 'replace', dying(os.replace))
        monkeypatch.setattr(os, 'fsync', dying(os.fsync))
        monkeypatch.setattr(tarfile.TarFile, 'addfile', dying(tarfile.TarFile.addfile))
        pack_images(images, out, shard_size=7000)

    seen = set()
    for moment in itertools.count():
        here = out.with_name(f'{moment}.tars')
        process = multiprocessing.get_context('fork').Process(
            target=run_until, args=(moment, here))
        process.start()
        process.join()
        there = packed_content(here) if names_in(here, '*.tar') else {}
        assert there.items() <= content(images).items()
        seen.add(len(there))
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
        assert pack_images(images, here)[:2] == (12 - len(there), len(there))
        assert packed_content(here) == content(images)
        assert not names_in(here, '*.partial')
    assert moment > 12 and len(seen) > 2


def test_a_shard_that_a_kill_left_out_gets_its_number_again(images, out):
    """Of several shards written at a time, the first may be the one that a kill ends."""
    pack_images(images, out, shard_size=2000)
    whole = {path.name: path.read_bytes() for path in out.iterdir()}
    (out / '000000.tar').unlink()  # its index was written before it
    (out / '000001.tar').unlink()
    (out / '000001.npy').unlink()
    pack_images(images, out, shard_size=2000)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == whole
    (images / '0/0.jpg').unlink()
    (out / '000000.tar').unlink()
    pack_images(images, out, shard_size=10**6)
    assert packed_content(out) == content(images)
    (out / '000007.npy').touch()
    (out / 'notes.npy').touch()
    pack_images(images, out)
    assert 'notes.npy' in names_in(out, '*.npy') and not (out / '000007.npy').exists()


def test_only_one_process_packs(images, out):
    out.mkdir()
    with file_lock(out / '.lock'), \
            pytest.raises(PackedImagesError, match='another process is packing here'):
        pack_images(images, out)
    assert pack_images(images, out).packed == 12


def test_files_left_out_are_listed(images, out):
    (images / 'notes.json').write_text('{}')
    (images / 'gone.jpg').symlink_to(images / 'nowhere.jpg')
    (images / 'back\\slash.jpg').write_bytes(b'x')
    (images / 'old.tars').mkdir()
    (images / 'old.tars/1.jpg').write_bytes(b'x')
    result = pack_images(images, out)
    assert result.packed == 12
    assert {skipped.name: skipped.harmless for skipped in result.skipped} == {
        'notes.json': True, 'gone.jpg': False, 'back\\slash.jpg': False, 'old.tars/1.jpg': False}


def test_an_image_that_cannot_be_read_waits_for_the_next_run(images, out, monkeypatch):
    real = write_packed.Path.read_bytes

    def refuse(path):
        if path.name == '4.jpg':
            raise PermissionError(13, 'Permission denied')
        return real(path)

    monkeypatch.setattr(write_packed.Path, 'read_bytes', refuse)
    result = pack_images(images, out, shard_size=600)
    assert result.packed == 11
    assert [*map(str, result.skipped)] == ['1/4.jpg: unreadable (Permission denied)']
    monkeypatch.undo()
    assert pack_images(images, out)[:2] == (1, 11)
    assert packed_content(out) == content(images)


def test_linked_folders_are_followed_but_not_in_circles(images, out, tmp_path):
    (tmp_path / 'elsewhere').mkdir()
    (tmp_path / 'elsewhere/a.jpg').write_bytes(b'a')
    (images / 'linked').symlink_to(tmp_path / 'elsewhere')
    (images / '0/circle').symlink_to(images / '0')
    pack_images(images, out)
    assert set(PackedImages(out)) == {*content(images), 'linked/a.jpg'}


def test_a_full_disk_ends_it_and_keeps_what_is_finished(images, out, monkeypatch):
    real, calls = os.fsync, itertools.count()

    def full(descriptor):
        if next(calls) == 6:
            raise OSError(28, 'No space left on device')
        real(descriptor)

    monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(DiskFull, match=r'000001\.tar: the disk is full'):
        pack_images(images, out, shard_size=2000)
    monkeypatch.undo()
    finished = len(PackedImages(out))
    assert 0 < finished < 12
    assert pack_images(images, out, shard_size=2000)[:2] == (12 - finished, finished)


@pytest.mark.parametrize(('folder', 'name', 'error', 'message'), [
    ('nowhere', 'imgs.tars', NotADirectoryError, 'nowhere: no such folder'),
    ('imgs', 'packed', ValueError, r'must be named \*\.tars.*take packed\.tars'),
    ('imgs', 'imgs/imgs.tars', ValueError, 'lies in .*imgs itself')])
def test_wrong_folders_are_refused(images, tmp_path, folder, name, error, message):
    with pytest.raises(error, match=message):
        pack_images(tmp_path / folder, tmp_path / name)


# Tar files of others -----------------------------------------------------------------------------

def write_tar(path, members, mode='w', **options):
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, mode, **options) as tar:
        for name, kind, data in members:
            info = tarfile.TarInfo(name)
            info.type, info.size = kind, len(data)
            info.linkname = '/etc/passwd' if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ''
            tar.addfile(info, io.BytesIO(data))


@pytest.mark.skipif(sys.getfilesystemencoding() == 'ascii', reason='names beyond ASCII')
@pytest.mark.parametrize('form', [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_a_shard_of_another_tool_gets_an_index(images, out, form):
    long = '/'.join(['folder'] * 20) + '/ü.jpg'
    names = ['./a/1.jpg', 'b.jpg'] if form == tarfile.USTAR_FORMAT else ['./a/1.jpg', long]
    write_tar(out / 'other.tar', [('a', tarfile.DIRTYPE, b''), *(
        (name, tarfile.REGTYPE, name.encode()) for name in names)], format=form)
    pack_images(images, out)
    reader = PackedImages(out)
    assert len(reader) == 12 + 2
    assert all(reader.read(name.removeprefix('./')) == name.encode() for name in names)


def test_dangerous_members_are_left_out_and_nothing_is_unpacked(images, out, tmp_path):
    bad = [('../evil.jpg', tarfile.REGTYPE), ('/abs.jpg', tarfile.REGTYPE),
           ('a/../../b.jpg', tarfile.REGTYPE), ('link.jpg', tarfile.SYMTYPE),
           ('hard.jpg', tarfile.LNKTYPE), ('pipe.jpg', tarfile.FIFOTYPE),
           ('disk.jpg', tarfile.BLKTYPE), ('tty.jpg', tarfile.CHRTYPE)]
    write_tar(out / 'evil.tar', [
        *((name, kind, b'evil' if kind == tarfile.REGTYPE else b'') for name, kind in bad),
        ('good.jpg', tarfile.REGTYPE, b'old'), ('good.jpg', tarfile.REGTYPE, b'good')])
    before = sorted(tmp_path.rglob('*'))
    result = pack_images(images, out)
    assert {skipped.name for skipped in result.skipped} == {
        f'evil.tar: {os.path.normpath(name)}' for name, _ in bad}
    assert not any(skipped.harmless for skipped in result.skipped)
    reader = PackedImages(out)
    assert set(reader) == {*content(images), 'good.jpg'}
    assert reader.read('good.jpg') == b'good'
    new = {path for path in tmp_path.rglob('*')} - set(before)
    assert {path.parent for path in new} == {out}


def test_a_sparse_member_is_left_out(images, out):
    header = tarfile.TarInfo('hole.jpg')
    header.type, header.size = tarfile.GNUTYPE_SPARSE, 512
    block = bytearray(header.tobuf(tarfile.GNU_FORMAT))
    block[148:156] = b'%06o\0 ' % (sum(block[:148]) + 8 * 32 + sum(block[156:]))
    out.mkdir()
    (out / 'sparse.tar').write_bytes(bytes(block) + bytes(512) + bytes(10240))
    result = pack_images(images, out)
    assert [skipped.reason for skipped in result.skipped] == ['no plain file']
    assert set(PackedImages(out)) == set(content(images))


def lying(path):
    """A header that promises more than the file has."""
    info = tarfile.TarInfo('big.jpg')
    info.size = 10**12
    path.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(2048))


@pytest.mark.parametrize('write', [
    lying, lambda path: path.write_bytes(b'no tar' * 500),
    lambda path: write_tar(path, [('a.jpg', tarfile.REGTYPE, b'a')], mode='w:gz')])
def test_broken_and_lying_tar_files_are_named(images, out, write):
    out.mkdir()
    write(out / 'strange.tar')
    with pytest.raises(PackedImagesError, match=r'strange\.tar'):
        pack_images(images, out)


# Comparing ---------------------------------------------------------------------------------------

def test_differing_names_what_is_wrong(images, out):
    pack_images(images, out)
    assert {reason for _, reason in differing(images, out)} == {None}
    (images / '0/3.jpg').write_bytes(b'changed')
    (images / '0/new.jpg').write_bytes(b'new')
    wrong = {name: reason for name, reason in differing(images, out) if reason}
    assert wrong == {'0/3.jpg': 'other bytes than the original', '0/new.jpg': 'not packed'}
