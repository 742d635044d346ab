"""Removal of broken lines from the manifest of a run, each kept in a file beside its part."""

import os
from pathlib import Path
from typing import NamedTuple

from mmtbps.errors import RecordError
from mmtbps.fileio import LockTaken, decode_json, file_lock, write_durably
from mmtbps.merged_pairs import digest_of_run, part_files

from .manifest import Record, fault_of_second, fault_of_stranger
from .record_sections import check_accepted

__all__ = ['BrokenLine', 'count_set_aside', 'set_aside_broken']

#: What the name of a part's side file adds to that of the part.
SUFFIX = '.set-aside'


class BrokenLine(NamedTuple):
    """A line of a part file that was set aside.

    Args:
        part: The part file.
        number: Its line, from 1, as it was before.
        reason: What is wrong with it.
        kept_in: The file that has it now.
    """

    part: Path
    number: int
    reason: str
    kept_in: Path

    def __str__(self) -> str:
        return f'{self.part}:{self.number}: {self.reason}; it is now in {self.kept_in}'


def set_aside_broken(folder: str | os.PathLike) -> list[BrokenLine]:
    """Move lines that are no records, of another run, or repeat a job, out of the part files.

    The bytes of such a line go to ``PART.set-aside``, then leave the part; a kill between the two
    leaves them in both, and the next call ends it. Their jobs count as not done. A torn last line
    stays: the run itself cuts it off.

    Args:
        folder: Folder of the run.

    Returns:
        The lines, in the order of the parts.

    Raises:
        LockTaken: If a process of the run is at work on a part.
    """
    known: dict[str, Record] = {}
    moved, digest = [], digest_of_run(folder)
    for part in part_files(folder):
        try:
            with file_lock(part, wait=False):
                moved += _tidy(part, known, digest)
        except LockTaken as error:
            raise LockTaken(f'{part} is being written: wait for the run, or stop it, before lines '
                            'are set aside') from error
    return moved


def count_set_aside(folder: str | os.PathLike) -> int:
    """Count the lines that were set aside in the folder of a run, by all calls."""
    return sum(len(_lines(path)) for path in Path(folder).glob(f'part-*-of-*.jsonl{SUFFIX}'))


def _tidy(part: Path, known: dict[str, Record], digest: str | None) -> list[BrokenLine]:
    side = part.with_name(part.name + SUFFIX)
    whole, broken, moved = [], [], []
    for number, line in enumerate(_lines(part), start=1):
        reason = _fault(line, known, digest)
        if reason is None:
            whole.append(line)
        else:
            broken.append(line.rstrip(b'\r\n') + b'\n')
            moved.append(BrokenLine(part, number, reason, side))
    if broken:
        before = _lines(side) if side.is_file() else []
        write_durably(side, b''.join([*before, *(line for line in broken if line not in before)]))
        write_durably(part, b''.join(whole))
    return moved


def _lines(path: Path) -> list[bytes]:
    with open(path, 'rb') as file:
        return list(file)


def _fault(line: bytes, known: dict[str, Record], digest: str | None) -> str | None:
    """Tell what is wrong with a line, and note the record of one that is right."""
    if not line.strip():
        return None
    try:
        raw = decode_json(line.decode('utf-8-sig'))
    except (ValueError, RecursionError) as error:
        if not line.endswith(b'\n'):
            return None
        kind = 'not UTF-8 text' if isinstance(error, UnicodeDecodeError) else 'broken JSON'
        return f'{kind} ({error})'
    try:
        record = Record.from_json(raw, 'no record')
    except RecordError as error:
        return str(error)
    if fault := fault_of_stranger(record, digest):
        return fault
    before = known.get(record.job_id)
    if before is not None and (fault := fault_of_second(before, record)):
        return f'job {record.job_id} a second time, {fault} an earlier line'
    if record.status == 'accepted':
        try:
            check_accepted(record.source, record.edit, record.output, 'no pair')
        except RecordError as error:
            return str(error)
    if before is None or before.status == 'failed':
        known[record.job_id] = record
    return None
