"""Ctrl-C and SIGTERM: one line, the exit code, and a state to go on from."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from writing_jobs import ENVIRONMENT, JOBS, ROOT, lines_of_error, run

pytestmark = pytest.mark.slow
STOPPED = [(signal.SIGINT, 130, 'interrupted'), (signal.SIGTERM, 143, 'terminated')]


def stop(command, begun, number, whole_group=True):
    """Send a signal once ``begun()`` is true; to all processes, as a terminal sends Ctrl-C."""
    process = subprocess.Popen([str(word) for word in command], env=ENVIRONMENT, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               start_new_session=True)
    end = time.monotonic() + 120
    while not begun():
        assert process.poll() is None and time.monotonic() < end, process.communicate()
        time.sleep(.01)
    (os.killpg if whole_group else os.kill)(process.pid, number)
    stdout, stderr = process.communicate(timeout=60)  # workers that are left would hold the pipes
    return SimpleNamespace(returncode=process.returncode, stdout=stdout, stderr=stderr)


@pytest.mark.parametrize('number, code, word', STOPPED, ids=['Ctrl-C', 'SIGTERM'])
@pytest.mark.parametrize('name', ['train', 'pack', 'extract', 'generate', 'draw', 'index',
                                  'index Lance', 'test --out'])
def test_a_stopped_job_goes_on(name, number, code, word, inputs, undisturbed, tmp_path):
    job, before = JOBS[name], undisturbed(name)
    done = stop(job.command(inputs, tmp_path), lambda: any(tmp_path.glob(job.begun)), number,
                whole_group=number == signal.SIGINT)
    assert done.returncode == code, done.stderr
    line, = lines_of_error(done)
    assert word in line
    again = run(job.command(inputs, tmp_path, again=True))
    assert again.returncode == 0, again.stderr
    assert job.result(tmp_path) == job.result(before)


@pytest.mark.parametrize('number, code, word', STOPPED, ids=['Ctrl-C', 'SIGTERM'])
def test_stopped_processes_of_a_group_say_it_once(number, code, word, inputs, tmp_path):
    command = ['bash', ROOT / 'tools/dist_train.sh', inputs.config, '2', '--work-dir',
               tmp_path / 'run', '--cfg-options', 'train_cfg.max_epochs=1000']
    done = stop(command, lambda: any(tmp_path.glob('run/epoch_*.pth')), number,
                whole_group=number == signal.SIGINT)
    assert done.returncode == code, done.stderr
    line, = lines_of_error(done)
    assert word in line and '--resume goes on' in line


@pytest.mark.parametrize('number, code, word', STOPPED, ids=['Ctrl-C', 'SIGTERM'])
def test_a_page_that_is_stopped_is_closed(number, code, word, inputs, tmp_path):
    pytest.importorskip('gradio')
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    with open(tmp_path / 'said', 'w') as said:
        process = subprocess.Popen(
            [sys.executable, ROOT / 'tools/search.py', 'serve', inputs.gallery, '--port',
             str(port)],
            env=dict(ENVIRONMENT, TMPDIR=str(tmp_path)), stdout=said, stderr=subprocess.PIPE,
            text=True)
    end = time.monotonic() + 120
    while 'The page is at' not in (tmp_path / 'said').read_text():
        assert process.poll() is None and time.monotonic() < end, process.communicate()
        time.sleep(.05)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == code
    assert re.search(rf'^error: {word}: the page is closed$', stderr, re.MULTILINE)
    assert 'Traceback' not in stderr
