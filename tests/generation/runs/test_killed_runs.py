"""A run killed anywhere, or out of space, goes on and ends as a quiet one."""

import errno
import json
import multiprocessing
import os
import shutil
import signal
import time

import numpy as np
import pytest
from fake_parts import NoiseEditor, make_plan, outcome, run

from mmtbps.fileio import DiskFull
from mmtbps.generation.runs.manifest import load_done

FORK = multiprocessing.get_context('fork')
DISK = 'write', 'fsync', 'replace', 'link', 'ftruncate', 'unlink'


def watch_disk(before):
    """Call ``before(name, real, *args)`` at every operation on the disk; returns the real ones."""
    reals = {name: getattr(os, name) for name in DISK}

    def watched(name):
        def call(*args, **kwargs):
            before(name, reals[name], *args)
            return reals[name](*args, **kwargs)
        return call

    for name in DISK:
        setattr(os, name, watched(name))
    return reals


def dying(planned, out, shard, crash_at):
    """Run in this process and kill it at its n-th step on the disk; a write is torn in half."""
    steps = iter(range(1 << 30))

    def deadly(name, real, *args):
        if next(steps) == crash_at:
            if name == 'write':
                real(args[0], args[1][:len(args[1]) // 2])
            os.kill(os.getpid(), signal.SIGKILL)

    watch_disk(deadly)
    run(planned, out, shard)


def steps_of(planned, out):
    """Names of all steps on the disk of a quiet run."""
    steps = []
    reals = watch_disk(lambda name, *_: steps.append(name))
    try:
        run(planned, out)
    finally:
        for name, real in reals.items():
            setattr(os, name, real)
    return steps


#: Steps of the claim of a folder, and of a job: image, folder of it, line of the manifest.
NOTE = ['fsync', 'replace', 'fsync']
CLAIM, JOB = ['fsync', 'link', 'unlink', 'fsync'], ['fsync', 'replace', 'fsync', 'write', 'fsync']


def begin(quiet, out, tail):
    """Copy a run of which half the jobs are done, its last line as a kill may have left it."""
    shutil.copytree(quiet, out)
    part = out / 'part-00000-of-00001.jsonl'
    lines = part.read_bytes().splitlines(keepends=True)
    for line in lines[2:]:
        (out / json.loads(line)['output']['file']).unlink()
    whole = b''.join(lines[:2])
    part.write_bytes({'whole': whole, 'torn': whole + lines[2][:30], 'open': whole[:-1]}[tail])


@pytest.mark.parametrize('tail, expected_steps', [
    (None, [*CLAIM, *NOTE, *4 * JOB]), ('whole', 2 * JOB), ('torn', ['ftruncate', *2 * JOB]),
    ('open', ['ftruncate', *3 * JOB])], ids=['new', 'half done', 'torn line', 'no newline'])
@pytest.mark.filterwarnings('ignore:.*half-written')
def test_killed_at_every_step(tmp_path, tail, expected_steps):
    """Every single disk operation of a small run, or of its second start, is the last one once."""
    make_plan(tmp_path, people=2, images=1)  # 4 jobs
    run(tmp_path, tmp_path / 'quiet')
    if tail is not None:
        begin(tmp_path / 'quiet', tmp_path / 'again', tail)
    steps = steps_of(tmp_path, tmp_path / 'again')
    assert steps == expected_steps
    expected, killed = outcome(tmp_path / 'quiet'), 0
    assert without_partial(tmp_path / 'again') == expected
    for step in range(1000):
        out = tmp_path / f'out{step}'
        if tail is not None:
            begin(tmp_path / 'quiet', out, tail)
        process = FORK.Process(target=dying, args=(tmp_path, out, '0/1', step))
        process.start()
        process.join()
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
        killed += 1
        for rank in range(1 + step % 2):  # another number of processes finishes it
            run(tmp_path, out, f'{rank}/{1 + step % 2}')
        assert without_partial(out) == expected
    assert killed == len(steps)


class SlowEditor(NoiseEditor):
    def edit(self, requests):
        time.sleep(0.004)
        return super().edit(requests)


def slow_run(planned, out, shard):
    run(planned, out, shard, editor=SlowEditor(), batch_size=2)


@pytest.mark.filterwarnings('ignore:.*half-written')
def test_killed_at_random_with_changing_world_sizes(planned, quiet, tmp_path):
    rng = np.random.default_rng(0)
    kills = 0
    for world in (3, 2, 4, 3, 1, 2):
        processes = [FORK.Process(target=slow_run, args=(planned, tmp_path, f'{rank}/{world}'))
                     for rank in range(world)]
        for process in processes:
            process.start()
        for process in processes:
            time.sleep(rng.uniform(0, .02))
            if process.is_alive():
                os.kill(process.pid, signal.SIGKILL)
                kills += 1
            process.join()
        for part in tmp_path.glob('part-*'):  # and a torn line by hand
            part.write_bytes(part.read_bytes() + b'{"schema": "mmt')
    assert kills >= 5
    for rank in range(3):
        run(planned, tmp_path, f'{rank}/3')
    assert without_partial(tmp_path) == quiet


def without_partial(out):
    rows, files = outcome(out)
    return rows, {name: digest for name, digest in files.items() if not name.endswith('.partial')}


def test_a_full_disk_loses_nothing(planned, quiet, tmp_path, monkeypatch):
    calls, fsync = iter(range(1 << 30)), os.fsync

    def full_from_the_tenth(descriptor):
        if next(calls) >= 10:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    monkeypatch.setattr(os, 'fsync', full_from_the_tenth)
    with pytest.raises(DiskFull, match='disk is full.*start the same command'):
        run(planned, tmp_path)
    monkeypatch.undo()
    assert 0 < len(load_done(tmp_path)) < 20
    run(planned, tmp_path)
    assert outcome(tmp_path) == quiet
