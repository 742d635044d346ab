"""Durable writes: the old file or the new one after any kill, and files that are made once."""

import errno
import itertools
import multiprocessing
import os
import signal
import threading
from pathlib import Path

import pytest

from mmtbps.fileio import DiskFull, create_once, folder_size, write_durably

FORK = multiprocessing.get_context('fork')
#: Calls by which a file comes to disk; a process may die before each of them.
STEPS = ('open', 'write', 'fsync', 'replace', 'link', 'unlink', 'close')


def fill(path):
    with open(path, 'wb') as file:
        file.write(b'new' * 1000)


CONTENTS = {'bytes': b'new' * 1000, 'text': 'new' * 1000, 'function': fill}


def die_at(moment, work):
    """Run ``work`` in a process that is killed (SIGKILL) before its ``moment``-th step."""

    def run():
        calls = itertools.count()

        def dying(function):
            def call(*args, **kwargs):
                if next(calls) == moment:
                    os.kill(os.getpid(), signal.SIGKILL)
                return function(*args, **kwargs)
            return call

        for name in STEPS:
            setattr(os, name, dying(getattr(os, name)))
        Path.write_bytes = dying(Path.write_bytes)
        work()

    process = FORK.Process(target=run)
    process.start()
    process.join()
    return process.exitcode


def kills(work, reset):
    """Yield after a kill at each step in turn, and at last after a run to the end."""
    for moment in itertools.count():
        reset()
        code = die_at(moment, work)
        assert code in (0, -signal.SIGKILL)
        yield code == 0
        if code == 0:
            return


@pytest.mark.parametrize('kind', CONTENTS)
@pytest.mark.parametrize('before', [None, b'old'])
def test_a_kill_at_any_step_leaves_the_old_file_or_the_new_one(tmp_path, kind, before):
    path, seen = tmp_path / 'file.bin', []

    def reset():
        for leftover in tmp_path.iterdir():
            leftover.unlink()
        if before is not None:
            path.write_bytes(before)

    for whole in kills(lambda: write_durably(path, CONTENTS[kind]), reset):
        content = path.read_bytes() if path.exists() else None
        assert content in (before, b'new' * 1000)
        assert {file.name for file in tmp_path.iterdir()} <= {'file.bin', 'file.bin.partial'}
        seen.append(content)
        if not whole:
            write_durably(path, CONTENTS[kind])  # the next start
        assert path.read_bytes() == b'new' * 1000
        assert [file.name for file in tmp_path.iterdir()] == ['file.bin']
    assert before in seen and seen.count(b'new' * 1000) > 1 and len(seen) > 4


@pytest.mark.skipif(not Path('/proc/self/fd').exists(), reason='names of open files')
def test_the_order_of_the_steps_is_content_name_folder(tmp_path, monkeypatch):
    """Only so a file that has its name after a power cut also has its content."""
    steps, real_sync, real_replace = [], os.fsync, os.replace

    def sync(descriptor):
        steps.append(('fsync', os.readlink(f'/proc/self/fd/{descriptor}')))
        real_sync(descriptor)

    def replace(old, new):
        steps.append(('replace', str(old)))
        real_replace(old, new)

    monkeypatch.setattr(os, 'fsync', sync)
    monkeypatch.setattr(os, 'replace', replace)
    write_durably(tmp_path / 'a.txt', 'x')
    partial = str(tmp_path / 'a.txt.partial')
    assert steps == [('fsync', partial), ('replace', partial), ('fsync', str(tmp_path))]


@pytest.mark.parametrize('code', [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize('write, step', [
    (write_durably, 'fsync'), (write_durably, 'replace'), (create_once, 'fsync')])
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path, monkeypatch, code, step, write):
    def full(*args):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, step, full)
    (tmp_path / 'other.bin').write_bytes(b'kept')
    with pytest.raises(DiskFull, match=r'a\.bin: the disk is full') as error:
        write(tmp_path / 'a.bin', b'new')
    assert error.value.errno == code
    assert [file.name for file in tmp_path.iterdir()] == ['other.bin']


def test_a_write_that_fails_keeps_the_old_file_and_its_error(tmp_path):
    path = tmp_path / 'a.bin'
    path.write_bytes(b'old')

    def fails(partial):
        partial.write_bytes(b'half')
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_durably(path, fails)
    with pytest.raises(IsADirectoryError):
        write_durably(path, lambda partial: tmp_path.read_bytes())
    assert [file.name for file in tmp_path.iterdir()] == ['a.bin']
    assert path.read_bytes() == b'old'


def test_text_is_utf_8_whatever_the_locale(tmp_path):
    write_durably(tmp_path / 'a.txt', 'größer 男')
    assert create_once(tmp_path / 'b.txt', 'größer 男')
    for name in 'ab':
        assert (tmp_path / f'{name}.txt').read_bytes() == 'größer 男'.encode()


def _rewrite(path, letters):
    """Write contents of one letter each, one letter in a thread of its own; report failures."""
    failures = []

    def write(letter):
        try:
            for _ in range(40):
                write_durably(path, letter * 50_000)
        except OSError as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(letter,)) for letter in letters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os._exit(len(failures))


@pytest.mark.parametrize('processes', [['a', 'b', 'c'], ['abc'], ['ab', 'cd']])
def test_of_several_writers_at_a_time_each_content_is_seen_whole(tmp_path, processes):
    path = tmp_path / 'a.txt'
    write_durably(path, 'x' * 50_000)
    writers = [FORK.Process(target=_rewrite, args=(path, letters)) for letters in processes]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        text = path.read_text()
        assert len(text) == 50_000 and len(set(text)) == 1
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert [file.name for file in tmp_path.iterdir()] == ['a.txt']


# create_once ---------------------------------------------------------------------------------

def test_what_is_there_stays(tmp_path):
    assert create_once(tmp_path / 'deep/a.txt', 'first')
    assert not create_once(tmp_path / 'deep/a.txt', 'second')
    assert (tmp_path / 'deep/a.txt').read_text() == 'first'
    assert [file.name for file in (tmp_path / 'deep').iterdir()] == ['a.txt']


def _create(folder, number, start, made):
    for turn in range(20):
        start.wait()
        if create_once(f'{folder}/{turn}.txt', f'{number} ' * 5000):
            made.put((turn, number))


def test_of_several_processes_one_makes_the_file(tmp_path):
    start, made = FORK.Barrier(4), FORK.SimpleQueue()
    processes = [FORK.Process(target=_create, args=(tmp_path, number, start, made))
                 for number in range(4)]
    for process in processes:
        process.start()
    makers = dict(made.get() for _ in range(20))  # hangs if a file had no maker
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert made.empty() and sorted(makers) == list(range(20))  # nor had one of them two
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(
        f'{turn}.txt' for turn in range(20))
    assert all((tmp_path / f'{turn}.txt').read_text() == f'{number} ' * 5000
               for turn, number in makers.items())


def test_of_several_threads_one_makes_the_file(tmp_path):
    start, made = threading.Barrier(4, timeout=20), []

    def create(letter):
        for turn in range(20):
            start.wait()
            if create_once(tmp_path / f'{turn}.txt', letter * 9999):
                made.append((turn, letter))

    threads = [threading.Thread(target=create, args=(letter,)) for letter in 'abcd']
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(turn for turn, _ in made) == list(range(20))
    assert all((tmp_path / f'{turn}.txt').read_text() == letter * 9999 for turn, letter in made)
    assert len(list(tmp_path.iterdir())) == 20


def test_a_kill_leaves_no_file_or_a_whole_one(tmp_path):
    path = tmp_path / 'a.txt'

    def reset():
        for leftover in tmp_path.iterdir():
            leftover.unlink()

    seen = set()
    for whole in kills(lambda: create_once(path, 'x' * 9999), reset):
        there = path.exists()
        assert not there or path.read_text() == 'x' * 9999
        seen.add(there)
        assert create_once(path, 'x' * 9999) is not there
        assert whole <= there
    assert seen == {True, False}


# folder_size ---------------------------------------------------------------------------------

def test_the_size_of_a_folder_is_that_of_its_files(tmp_path):
    (tmp_path / 'a/b').mkdir(parents=True)
    (tmp_path / 'a/one').write_bytes(b'x' * 10)
    (tmp_path / 'a/b/two').write_bytes(b'x' * 5)
    assert folder_size(tmp_path) == 15
    (tmp_path / 'gone').symlink_to('nowhere')
    assert folder_size(tmp_path) == 15
