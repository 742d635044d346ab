"""Locks: one process at a time, given up by its death, never by removing the file."""

import multiprocessing
import os
import signal

import pytest

from mmtbps.errors import UserError
from mmtbps.fileio import LockTaken, file_lock
from mmtbps.fileio.locks import lock_descriptor

FORK = multiprocessing.get_context('fork')


def _hold(path, has_it):
    with file_lock(path):
        has_it.set()
        signal.pause()


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock ``tmp_path/.lock`` until it is killed."""
    has_it = FORK.Event()
    process = FORK.Process(target=_hold, args=(tmp_path / '.lock', has_it), daemon=True)
    process.start()
    assert has_it.wait(20)
    yield process
    process.kill()
    process.join()


def test_a_taken_lock_is_refused_and_named(tmp_path, holder):
    with pytest.raises(LockTaken, match=r'\.lock: another process is at work here') as error, \
            file_lock(tmp_path / '.lock', wait=False):
        pass
    assert isinstance(error.value, UserError) and isinstance(error.value, RuntimeError)


def test_a_lock_dies_with_its_process(tmp_path, holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    with file_lock(tmp_path / '.lock', wait=False):
        pass


def test_a_lock_is_given_up_at_the_end_also_by_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError), file_lock(tmp_path / '.lock'):
        raise ZeroDivisionError
    with file_lock(tmp_path / '.lock', wait=False):
        pass
    assert (tmp_path / '.lock').is_file()  # to remove it would let two in


def _count(path, counter):
    for _ in range(200):
        with file_lock(path):
            counter.write_text(str(int(counter.read_text()) + 1))


def test_who_waits_comes_in_alone(tmp_path):
    counter = tmp_path / 'counter'
    counter.write_text('0')
    processes = [FORK.Process(target=_count, args=(tmp_path / '.lock', counter))
                 for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert counter.read_text() == '600'


def test_two_descriptors_of_one_process_exclude_each_other_too(tmp_path):
    with file_lock(tmp_path / '.lock'), open(tmp_path / '.lock') as second:
        with pytest.raises(LockTaken):
            lock_descriptor(second.fileno(), tmp_path / '.lock', wait=False)
        with open(tmp_path / 'other', 'w') as other:
            lock_descriptor(other.fileno(), tmp_path / 'other', wait=False)


def test_a_file_system_without_locks_lets_in(tmp_path, monkeypatch):
    import fcntl

    def refuse(*args):
        raise OSError(95, 'Operation not supported')

    monkeypatch.setattr(fcntl, 'flock', refuse)
    with file_lock(tmp_path / '.lock', wait=False):
        pass
