"""A full disk is recognised in every disguise, and worded with file, folder and space."""

import errno
import os
import re
import shutil
from collections import namedtuple

import pytest

from mmtbps.fileio import (
    DiskFull,
    append_json_lines,
    durable_folder,
    explain_disk_full,
    explained_disk_full,
    is_disk_full,
    write_durably,
)

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize('error, full', [
    (FULL, True), (OSError(errno.EDQUOT, ''), True), (DiskFull('a'), True),
    (RuntimeError('I/O error: No space left on device (os error 28)'), True),
    (OSError('Caught OSError in worker: [Errno 28] No space left'), True),
    (OSError(errno.EACCES, 'Permission denied'), False), (RuntimeError('error 281'), False),
    (ValueError('28'), False)])
def test_errors_of_a_full_disk(error, full):
    assert is_disk_full(error) == full
    explained = explain_disk_full(error, 'a')
    assert isinstance(explained, DiskFull) == full and (full or explained is error)


@pytest.fixture
def free(monkeypatch):
    """Set the free bytes of every disk."""
    def set_free(number):
        usage = namedtuple('usage', 'total used free')
        monkeypatch.setattr(shutil, 'disk_usage', lambda _: usage(0, 0, number))

    set_free(2_300_000)
    return set_free


def test_the_line_names_file_folder_and_space(free, tmp_path):
    said = str(explain_disk_full(FULL, tmp_path / 'new/a.bin', 5_000_000))
    assert said == (f'{tmp_path}/new/a.bin: the disk is full; it needs 5.0 MB, and 2.3 MB are free '
                    f'in {tmp_path}. Everything up to here is kept: free some space and start the '
                    'same command again')


@pytest.mark.parametrize('content, needs', [
    (b'x' * 700_000, '0.7 MB'), (lambda to: to.write_bytes(b'x' * 700_000), '0.7 MB')])
def test_a_write_says_how_much_it_needs(free, tmp_path, monkeypatch, content, needs):
    def full(descriptor):
        raise FULL

    monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(DiskFull, match=rf'a\.bin: the disk is full; it needs {needs}'):
        write_durably(tmp_path / 'a.bin', content)
    assert not list(tmp_path.iterdir())


def test_a_library_that_says_nothing_met_a_full_disk_if_nothing_is_free(free, tmp_path):
    def fails(to):
        to.write_bytes(b'half')
        raise RuntimeError('file write failed')

    with pytest.raises(RuntimeError, match='^file write failed'):
        write_durably(tmp_path / 'a.pth', fails)
    free(0)
    with pytest.raises(DiskFull, match=r'a\.pth: the disk is full'):
        write_durably(tmp_path / 'a.pth', fails)
    with pytest.raises(DiskFull, match='model: the disk is full'), \
            durable_folder(tmp_path / 'model') as folder:
        fails(folder / 'weights')
    assert not list(tmp_path.iterdir())


def test_other_ways_to_write_are_worded_too(tmp_path):
    with pytest.raises(DiskFull, match=re.escape(f'{tmp_path / "run"}: the disk is full')), \
            explained_disk_full(tmp_path / 'run'):
        raise FULL
    with pytest.raises(PermissionError), explained_disk_full(tmp_path):
        raise PermissionError(errno.EACCES, 'Permission denied')
    with pytest.raises(DiskFull, match='^inner: x$'), explained_disk_full(tmp_path):
        raise DiskFull('inner: x')


def test_lines_are_appended_all_or_none(tmp_path, monkeypatch):
    path, real_write = tmp_path / 'log.jsonl', os.write
    append_json_lines(path, [dict(path='a')])
    before = path.read_bytes()
    monkeypatch.setattr(os, 'write', lambda fd, data: real_write(fd, data[:5]))
    with pytest.raises(DiskFull, match=r'log\.jsonl: the disk is full'):
        append_json_lines(path, [dict(path='b'), dict(path='c')])
    assert path.read_bytes() == before
