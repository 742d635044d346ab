"""A watch whose disk is full for a while: that of alarms, of what waits, or of the gallery."""

import contextlib
import multiprocessing
import shutil
import subprocess

import pytest
from watch_rig import in_process, lines_of, paint_couples, to_file, wait_for, watch_arrivals

pytestmark = pytest.mark.slow


@pytest.fixture
def disk(tmp_path):
    """A disk of 2 MB."""
    place = tmp_path / 'disk'
    place.mkdir()
    try:
        done = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=2m', 'none', place],
                              capture_output=True)
    except OSError as error:
        pytest.skip(f'no disk of our own can be mounted here: {error}')
    if done.returncode:
        pytest.skip('no disk of our own can be mounted here: this takes the rights of root')
    yield place
    subprocess.run(['umount', '-l', place], check=True)


def fill(disk):
    with contextlib.suppress(OSError), open(disk / 'filler', 'wb', buffering=0) as filler:
        while True:
            filler.write(bytes(512))


@pytest.mark.parametrize('name', ['alarms.jsonl', 'state', 'people'])
def test_alarms_of_a_disk_that_is_full_for_a_while_come_later(tmp_path, disk, name):
    root = tmp_path / 'root'
    for place in (root, tmp_path / 'other'):
        place.mkdir()
        paint_couples(place / 'store')
    (disk / name).touch() if '.' in name else (disk / name).mkdir()
    (root / name).symlink_to(disk / name)
    (root / 'hold').touch()
    process = multiprocessing.get_context('fork').Process(
        target=watch_arrivals, args=(root, to_file), daemon=True)
    process.start()
    wait_for(lambda: len(lines_of(root / 'alarms.jsonl')) == 4)
    fill(disk)
    (root / 'hold').unlink()
    wait_for(lambda: (root / 'said.txt').exists() and 'full' in (root / 'said.txt').read_text())
    process.join(1)
    assert process.is_alive()
    held = len(lines_of(root / 'alarms.jsonl'))
    (disk / 'filler').unlink()
    process.join(60)
    assert process.exitcode == 0 and held < 12
    assert in_process(watch_arrivals, tmp_path / 'other', to_file) == 0
    assert [line['id'] for line in lines_of(root / 'alarms.jsonl')] == [
        line['id'] for line in lines_of(tmp_path / 'other/alarms.jsonl')]
    said = [line for line in (root / 'said.txt').read_text().splitlines() if 'full' in line]
    # The disk of what waits is written to by the watch and by the sender; each says so once.
    ends = ['It is tried again', 'Alarms wait on disk and are sent again']
    counts = [sum(line.endswith(end) for line in said) for end in ends]
    assert sum(counts) == len(said) and max(counts) == 1
    assert len(said) == 1 or name == 'state'
    shutil.rmtree(root)
