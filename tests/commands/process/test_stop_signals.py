"""Ctrl-C and SIGTERM raise once, in the process that asked for it, and are put back."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mmtbps.commands.process import stop_signals
from mmtbps.commands.process.stop_signals import StopSignals, Terminated

ROOT = Path(__file__).resolve().parents[3]
BOTH = (signal.SIGINT, signal.SIGTERM)
RAISED = [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)]


@pytest.fixture(autouse=True)
def no_trace(monkeypatch):
    """Leave nothing for the end of the tests' own process."""
    monkeypatch.setattr(stop_signals.atexit, 'register', lambda function: None)


@pytest.mark.parametrize('number, kind', RAISED)
def test_a_signal_raises_once_and_the_handlers_come_back(number, kind):
    before = [signal.getsignal(each) for each in BOTH]
    with StopSignals() as signals:
        with pytest.raises(kind):
            signal.raise_signal(number)
        for each in BOTH:
            signal.raise_signal(each)  # of a launcher, right after the first
        assert signals.received == number
    assert [signal.getsignal(each) for each in BOTH] == before
    assert not isinstance(Terminated(), Exception)


def test_a_signal_that_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with StopSignals() as signals:
            signal.raise_signal(signal.SIGINT)
            assert signals.received is None
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_nothing_changes_in_another_thread():
    handlers = []

    def look():
        with StopSignals():
            handlers.extend(signal.getsignal(each) for each in BOTH)

    before = [signal.getsignal(each) for each in BOTH]
    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert handlers == before


SCRIPT = """
import os, signal, sys, time
from mmtbps.commands.process import stop_signals
from mmtbps.commands.wording.user_errors import one_line_errors
with one_line_errors('interrupted; go on'):
    exec(sys.argv[1])
"""
FORK = """
child = os.fork()
if not child:
    os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGTERM)
    os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
IMPATIENT = """
stop_signals._PATIENCE = 0.
try:
    os.kill(os.getpid(), signal.SIGTERM)
finally:
    time.sleep(.01)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)
"""
IN_DESTRUCTOR = """
class Loader:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(.01)
Loader()
for _ in range(3000):
    time.sleep(.01)
"""
ERROR_IN_DESTRUCTOR = """
class Loader:
    def __del__(self):
        raise ValueError('told as ever')
before = sys.unraisablehook
sys.unraisablehook = lambda dropped: print(dropped.exc_value)
with stop_signals.StopSignals():
    Loader()
sys.unraisablehook = before
"""


@pytest.mark.parametrize('code, returncode, stdout, stderr', [
    (FORK, 0, f'{-signal.SIGTERM}\n', ''),
    ('os.kill(os.getpid(), signal.SIGINT)', 130, '', 'error: interrupted; go on\n'),
    ('os.kill(os.getpid(), signal.SIGTERM)', 143, '', 'error: terminated; go on\n'),
    (IN_DESTRUCTOR, 143, '', 'error: terminated; go on\n'),
    (ERROR_IN_DESTRUCTOR, 0, 'told as ever\n', ''),
    (IMPATIENT, 143, '', '')],
    ids=['forked', 'Ctrl-C', 'SIGTERM', 'in a destructor', 'error in a destructor', 'twice'])
def test_a_process_ends_by_a_signal(code, returncode, stdout, stderr):
    done = subprocess.run([sys.executable, '-c', SCRIPT, code], capture_output=True, text=True,
                          env={**os.environ, 'PYTHONPATH': str(ROOT)})
    assert (done.returncode, done.stdout, done.stderr) == (returncode, stdout, stderr)


POOLS = """
from multiprocessing import Pool
for _ in range(300):
    with Pool(3) as pool:  # it ends its processes by SIGTERM, just as they begin to wait
        list(pool.imap(abs, range(9), chunksize=3))
"""


@pytest.mark.slow
def test_processes_of_a_pool_always_end():
    done = subprocess.run([sys.executable, '-c', SCRIPT, POOLS], timeout=300,
                          env={**os.environ, 'PYTHONPATH': str(ROOT)})
    assert done.returncode == 0
