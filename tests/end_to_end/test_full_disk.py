"""A full disk is one line; with room, the same command ends as if nothing had been."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from writing_jobs import ENVIRONMENT, JOBS, lines_of_error

pytestmark = pytest.mark.slow
PAGE = 4096


@pytest.fixture(scope='module')
def namespace(tmp_path_factory):
    """Words that start a command where it may mount a disk of its own."""
    disk = tmp_path_factory.mktemp('disk')
    for words in (['unshare', '-Urm'], ['unshare', '-m']):
        try:
            done = subprocess.run([*words, 'mount', '-t', 'tmpfs', 'none', disk],
                                  stderr=subprocess.DEVNULL)
        except OSError as error:
            pytest.skip(f'no disk of our own can be mounted here: {error}')
        if done.returncode == 0:
            return words
    pytest.skip('no disk of our own can be mounted here: unshare is not allowed')


def space(folder):
    """Bytes that the files of a folder take on a tmpfs, in whole pages."""
    return sum(-(-path.stat().st_size // PAGE) * PAGE if path.is_file() else 0
               for path in folder.rglob('*'))


def on_small_disk(namespace, size, job, inputs, tmp_path):
    """Run a job on a disk of so many bytes, then on a large one; return both reports."""
    disk, kept = tmp_path / 'disk', tmp_path / 'kept'
    disk.mkdir()
    commands = [job.command(inputs, disk), job.command(inputs, disk, again=True)]
    done = subprocess.run(
        [*namespace, sys.executable, Path(__file__).with_name('small_disk.py'), str(size), disk,
         kept], input=json.dumps(commands), capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    return [SimpleNamespace(**report) for report in json.loads(done.stdout)], kept


@pytest.mark.parametrize('share', [0.2, 0.7])
@pytest.mark.parametrize('name', JOBS)
def test_a_full_disk_loses_nothing(name, share, namespace, inputs, undisturbed, tmp_path):
    job, before = JOBS[name], undisturbed(name)
    size = max(PAGE, int(share * space(before)) // PAGE * PAGE)
    (full, again), kept = on_small_disk(namespace, size, job, inputs, tmp_path)
    assert full.returncode == 1, full.stderr
    line, = lines_of_error(full)
    assert str(tmp_path / 'disk') in line and ' MB' in line, line
    assert 'disk is full' in line or 'are free' in line, line
    assert not [file for file in full.left if file.endswith(('.partial', '.tmp'))], full.left
    assert again.returncode == 0, again.stderr
    assert job.result(kept) == job.result(before)
