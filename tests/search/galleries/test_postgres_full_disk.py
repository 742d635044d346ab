"""A disk of a PostgreSQL server that is full: one line, nothing lost, and with room it goes on."""

import json
import subprocess
import sys

import pytest
from source_tree import ROOT

pytestmark = pytest.mark.slow
pytest_plugins = 'gallery_fixtures'  # `running_postgres`
OWN, SHARED = 10, 5  # entries of a batch: of its own, and those that every batch replaces
FULL = 'the disk of the PostgreSQL server is full, and nothing of this call was stored'


@pytest.fixture
def disk(running_postgres, tmp_path):
    """Folder on which a disk may be mounted, and that a user without rights comes to."""
    folder = tmp_path / 'disk'
    folder.mkdir()
    try:
        tried = subprocess.run(['unshare', '-m', 'mount', '-t', 'tmpfs', 'none', folder],
                               capture_output=True).returncode
    except OSError as error:
        tried = error
    if tried:
        pytest.skip('no disk of our own can be mounted here: that needs root')
    for above in folder.parents:
        if not above.stat().st_mode & 1:
            above.chmod(above.stat().st_mode | 1)
    return folder


@pytest.mark.parametrize(('what', 'megabytes'), [('data', 160), ('tables', 24), ('log', 80)])
def test_a_full_disk_of_the_server_loses_nothing(what, megabytes, disk):
    done = subprocess.run(
        ['unshare', '-m', sys.executable, ROOT / 'tests/search/postgres_small_disk.py', what,
         str(megabytes), disk], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report['acknowledged'] > 3
    assert FULL in report['said'] and '\n' not in report['said']
    assert report['left'] == OWN * report['acknowledged'] + SHARED
    assert report['after'] == dict(complete=True, first=f"ann-{report['acknowledged']}-0")
