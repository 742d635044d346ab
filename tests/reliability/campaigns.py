"""Kills of a job at many moments, each followed by the same job run to its end."""

import hashlib
import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from killed_processes import Ended, spread, unnamed_files

from mmtbps.fileio import load_checkpoint_file

__all__ = ['content', 'differences', 'kill_again_and_again', 'read_manifest', 'read_run_file',
           'report']

COUNT = 20
#: Keys of a checkpoint that hold a time, or the config with its folders.
TIMES = re.compile(r'time|eta|memory|cfg|experiment_name|version')


def content(folder: Path, leave_out: str = r'$^', read: Callable[[Path], object] | None = None
            ) -> dict[str, object]:
    """Read all files below a folder.

    Args:
        folder: a folder.
        leave_out: pattern of the paths, relative to it, that do not count.
        read: gives what of a file counts, ``None`` for its bytes, of which the hash is taken.
    """
    found = {}
    for path in sorted(folder.rglob('*')):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not re.search(leave_out, name):
            known = read(path) if read else None
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest() if known is None else known
    return found


def read_run_file(path: Path, folder: Path) -> object:
    """Read a checkpoint, or the name of the last one, as plain values without times and folder."""
    if path.suffix == '.pth':
        return comparable(load_checkpoint_file(path), folder)
    return comparable(path.read_text(), folder) if path.name == 'last_checkpoint' else None


def comparable(value: object, folder: Path) -> object:
    """Turn what a checkpoint holds into dicts and plain values, with the bits of every tensor."""
    if isinstance(value, dict):
        return {str(key): comparable(inner, folder) for key, inner in value.items()
                if not TIMES.search(str(key))}
    if isinstance(value, (list, tuple)):
        return comparable(dict(enumerate(value)), folder)
    if hasattr(value, '_log_history'):  # scores and losses, as MMEngine keeps them
        return comparable(value.data[0], folder)
    if isinstance(value, (torch.Tensor, np.ndarray)):
        value = np.asarray(value)
        return str(value.dtype), value.shape, value.tobytes()
    return value.replace(str(folder), '') if isinstance(value, str) else value


def read_manifest(path: Path) -> list[dict] | None:
    """Read the lines of a run that generates, without the time that they took."""
    if not path.name.startswith('part-'):
        return None
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        row.pop('time')
        row['cost'].pop('seconds')
    return rows


def kill_again_and_again(name: str, job: Callable[..., Ended], outcome: Callable[[Path], object],
                         tmp_path: Path, in_a_row: int = 1, unnamed: int = 5,
                         **kinds: tuple[str, int]) -> None:
    """Kill a job at 20 moments spread over it, run it again to its end, and compare the ends.

    Args:
        name: of the campaign, for its line of figures.
        job: runs the job in a folder, told ``kill``, ``turn`` (-1 for the uninterrupted one) and
            ``again`` (whether it was killed in this folder before).
        outcome: reads what a folder holds at the end.
        tmp_path: for the folders.
        in_a_row: kills of one run, ever further on, before it is run to its end; moments are then
            first of their words, so that they come in a run that goes on as well.
        unnamed: how many kills at least must leave a file that has not got its name yet.
        kinds: as in `spread`.
    """
    begin = time.monotonic()
    whole = job(tmp_path / 'whole', kill=None, turn=-1, again=False)
    assert whole.code == 0, whole.output
    expected, lasted = outcome(tmp_path / 'whole'), time.monotonic() - begin
    steps = whole.steps if in_a_row == 1 else first_of_their_words(whole.steps)
    moments = [moment if in_a_row == 1 else pattern(steps[moment - 1])
               for moment in spread(steps, COUNT, **kinds)]
    died, between, rows = [], 0, COUNT // in_a_row
    for turn in range(rows):
        folder = tmp_path / f'killed_{turn}'
        for number, moment in enumerate(moments[turn::rows]):
            before = unnamed_files(folder)
            killed = job(folder, kill=moment, turn=turn, again=number > 0)
            assert killed.killed, f'step {moment}: {killed.code}\n{killed.output}'
            died.append(killed.steps[moment - 1 if in_a_row == 1 else -1])
            between += bool(unnamed_files(folder) - before)
        again = job(folder, kill=None, turn=turn, again=True)
        assert again.code == 0, f'after {died[-in_a_row:]}:\n{again.output}'
        difference = differences(expected, outcome(folder))
        assert not difference, f'after {died[-in_a_row:]}: {difference[:8]}'
    assert len(died) == COUNT and between >= unnamed
    report(f'{name}: {len(died)} kills, {between} before a rename, of {len(whole.steps)} steps; '
           f'uninterrupted {lasted:.1f} s, all {time.monotonic() - begin:.0f} s; killed before '
           + ', '.join(died))


def pattern(step: str) -> str:
    """Make a pattern of a step, with any number in place of one that was drawn by lot."""
    plain = re.escape(step).replace(r'\-', '-')
    return re.sub(r'part-[0-9a-f]{16}', 'part-[0-9a-f]{16}', plain) + '$'


def first_of_their_words(steps: list[str]) -> list[str]:
    """Leave out steps that the run has done before, and those that have a time in their names."""
    found: dict[str, str] = {}
    for step in steps:
        if not re.search(r'\d{8}_\d{6}', step):
            found.setdefault(pattern(step), step)
    return [*found.values()]


def report(line: str) -> None:
    """Print the figures of a campaign, and add them to the file that ``KILL_FIGURES`` names."""
    print(line)
    if file := os.environ.get('KILL_FIGURES'):
        with open(file, 'a', encoding='utf-8') as figures:
            figures.write(f'{line}\n')


def differences(expected: object, got: object, where: str = '') -> list[str]:
    """Name the places at which two values of dicts, lists and plain values differ."""
    if isinstance(expected, dict) and isinstance(got, dict):
        return [line for key in sorted({*expected, *got}, key=str)
                for line in differences(expected.get(key), got.get(key), f'{where}/{key}')]
    return [] if type(expected) is type(got) and expected == got else [
        f'{where}: {str(expected)[:200]} -> {str(got)[:200]}']
