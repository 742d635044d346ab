"""A folder that may not be written is one line, before the work."""

import os
import subprocess
import sys

import pytest
from writing_jobs import JOBS, ROOT, lines_of_error, run

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def without_rights(tmp_path_factory):
    """Words that start a command as a user whom permissions bind."""
    words = [] if os.geteuid() else ['setpriv', '--bounding-set=-all', '--inh-caps=-all']
    folder = tmp_path_factory.mktemp('denied')
    folder.chmod(0o555)
    try:
        done = subprocess.run([*words, sys.executable, '-c', f'open({str(folder / "a")!r}, "w")'],
                              capture_output=True, text=True)
    except OSError as error:
        pytest.skip(f'nobody without rights can be made: {error}')
    if 'PermissionError' not in done.stderr:
        pytest.skip(f'nobody without rights can be made: {done.stderr}')
    return words


@pytest.fixture
def denied(tmp_path):
    folder = tmp_path / 'denied'
    folder.mkdir(mode=0o555)
    yield folder
    folder.chmod(0o755)


@pytest.mark.parametrize('name', JOBS)
def test_a_read_only_folder_is_named_before_the_work(name, without_rights, inputs, denied):
    done = run([*without_rights, *JOBS[name].command(inputs, denied)])
    assert done.returncode == 1, done.stderr
    line, = lines_of_error(done)
    assert str(denied) in line and 'Permission denied' in line, line
    assert 'Epoch(' not in done.stdout + done.stderr and not list(denied.iterdir())


@pytest.mark.parametrize('command', ['index', 'delete', 'compact'])
def test_a_gallery_that_may_not_be_changed_can_be_asked(command, without_rights, inputs):
    images = inputs.data / 'imgs'
    person = min(images.rglob('*.jpg')).relative_to(images)
    words = dict(index=[images], delete=['--path', person, '--yes'], compact=[])
    search = [*without_rights, sys.executable, ROOT / 'tools/search.py']
    modes = {path: path.stat().st_mode for path in [inputs.gallery, *inputs.gallery.iterdir()]}
    try:
        for path in modes:
            path.chmod(0o555 if path.is_dir() else 0o444)
        done = run([*search, command, inputs.gallery, *words[command]])
        asked = run([*search, 'query', inputs.gallery, 'a man'])
    finally:
        for path, mode in modes.items():
            path.chmod(mode)
    assert done.returncode == 1
    line, = lines_of_error(done)
    assert str(inputs.gallery) in line and 'Permission denied' in line
    assert asked.returncode == 0, asked.stderr
