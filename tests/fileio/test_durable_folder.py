"""Folders that are whole and on disk, or not there at all."""

import errno
import os
import signal
import subprocess
import sys

import pytest

from mmtbps.fileio import DiskFull, durable_folder


def test_a_folder_appears_when_it_is_whole(tmp_path):
    target = tmp_path / 'made/on/the/way'
    with durable_folder(target) as folder:
        (folder / 'deep').mkdir()
        (folder / 'deep/a').write_bytes(b'a')
        assert not target.exists()
    assert (target / 'deep/a').read_bytes() == b'a'
    assert list(target.parent.iterdir()) == [target]


def test_every_file_is_on_disk_before_the_folder_has_its_name(tmp_path, monkeypatch):
    target, synced = tmp_path / 'model', []
    sync = os.fsync

    def note(descriptor):
        synced.append((os.path.basename(os.readlink(f'/proc/self/fd/{descriptor}')),
                       target.exists()))
        sync(descriptor)

    monkeypatch.setattr(os, 'fsync', note)
    with durable_folder(target) as folder:
        (folder / 'deep').mkdir()
        for name in ('a', 'deep/b'):
            (folder / name).write_text(name)
    assert {name for name, there in synced if not there} == {'a', 'b', 'deep', folder.name}
    assert [name for name, there in synced if there] == [tmp_path.name]


@pytest.mark.parametrize('error', [ValueError('x'), KeyboardInterrupt(), OSError(errno.EIO, 'x')])
def test_a_block_that_raises_leaves_nothing(tmp_path, error):
    with pytest.raises(type(error)) as caught, durable_folder(tmp_path / 'model') as folder:
        (folder / 'a').write_text('half')
        raise error
    assert caught.value is error or caught.value.errno == errno.EIO
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_explained(tmp_path):
    with pytest.raises(DiskFull, match='model: the disk is full'), \
            durable_folder(tmp_path / 'model'):
        raise OSError(errno.ENOSPC, 'No space left on device')


def test_a_folder_in_the_way_is_kept(tmp_path):
    target = tmp_path / 'model'
    target.mkdir()
    (target / 'old').write_text('old')
    with pytest.raises(OSError), durable_folder(target) as folder:
        (folder / 'new').write_text('new')
    assert [path.name for path in tmp_path.rglob('*')] == ['model', 'old']


def test_a_kill_leaves_no_folder_of_that_name(tmp_path):
    code = ('import os, signal, sys\n'
            'from mmtbps.fileio import durable_folder\n'
            'with durable_folder(sys.argv[1]) as folder:\n'
            "    (folder / 'a').write_text('a')\n"
            '    os.kill(os.getpid(), signal.SIGKILL)\n')
    done = subprocess.run([sys.executable, '-c', code, str(tmp_path / 'model')])
    assert done.returncode == -signal.SIGKILL
    assert [path.name.startswith('.model.partial-') for path in tmp_path.iterdir()] == [True]


def test_a_leftover_of_a_process_of_the_same_number_is_not_in_the_way(tmp_path):
    """In a container the first process of each start has the same number."""
    (tmp_path / f'.model.partial-{os.getpid()}').mkdir()
    with durable_folder(tmp_path / 'model') as folder:
        (folder / 'a').write_text('a')
    assert (tmp_path / 'model/a').read_text() == 'a'
