"""Manifest of a run: a JSON line for each job, written so that a kill loses nothing.

The image goes to a temporary file, to disk and then under its name; only after that its line goes
to the part file of this process and to disk. Whoever reads a line finds its image. A process reads
all parts at its start and leaves out the jobs they hold, whatever number of processes wrote them.
"""

import hashlib
import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from mmtbps.errors import BadValue, MissingFile
from mmtbps.fileio import JsonlWriter, create_once, iter_json_lines
from mmtbps.records import Entry, RecordError

__all__ = ['ManifestPart', 'OtherRun', 'Record', 'claim_run', 'engine_digest', 'job_id',
           'load_done', 'read_records', 'read_run']

SCHEMA = 'mmtbps.pdg/1'
STATUSES = ('accepted', 'rejected', 'failed')
RUN_FILE = 'run.json'


class OtherRun(BadValue):
    """A folder that holds the pairs of another engine or plan."""


@dataclass(frozen=True, slots=True)
class Record:
    """The outcome of one job.

    Args:
        job_id: See `job_id`.
        status: ``'accepted'`` or ``'rejected'`` by the gates, or ``'failed'``.
        source: Data set, split, image, person id and captions edited, and the image's ``sha256``.
        edit: What changes, see `mmtbps.generation.runs.plan.Job`.
        output: New captions and group; with an image its ``file`` in the folder of the run,
            ``sha256`` and ``size`` (height, width).
        engine: ``digest`` of the run and the job's ``seed``.
        gates: Name -> ``value``, ``ok`` and the bounds ``min`` and ``max`` that apply.
        controls: Name of a negative control -> whether the gates let it pass. Empty for jobs on
            which none was tried.
        cost: Denoiser evaluations and seconds.
        shard: Which process did it, ``'3/8'``.
        time: When, UTC.
        reason: Why it failed.
    """

    job_id: str
    status: str
    source: dict[str, Any]
    edit: dict[str, Any]
    output: dict[str, Any]
    engine: dict[str, Any]
    gates: dict[str, dict[str, Any]] = field(default_factory=dict)
    controls: dict[str, bool] = field(default_factory=dict)
    cost: dict[str, Any] = field(default_factory=dict)
    shard: str = '0/1'
    time: str = ''
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return a dict of JSON types; numbers that JSON does not know become ``null``."""
        values = {f.name: _finite(getattr(self, f.name)) for f in fields(self)}
        return dict(schema=SCHEMA, **{key: value for key, value in values.items()
                                      if value is not None})

    @classmethod
    def from_json(cls, raw: Any, where: str = 'record') -> 'Record':
        """Read the record written by :meth:`to_json`.

        Raises:
            RecordError: If it is of another schema, or a key is missing or of a wrong type.
        """
        entry = Entry(raw, where)
        if (schema := entry.take('schema', str)) != SCHEMA:
            raise RecordError(f'{where}: schema {schema!r}, but this version reads {SCHEMA!r}')
        texts = {key: entry.take(key, str) for key in ('job_id', 'status', 'shard', 'time')}
        if texts['status'] not in STATUSES:
            raise RecordError(f'{where}: status must be one of {STATUSES}, '
                              f'found {texts["status"]!r}')
        sections = {key: entry.take(key, dict) for key in
                    ('source', 'edit', 'output', 'engine', 'gates', 'controls', 'cost')}
        return cls(**texts, **sections, reason=entry.take_or_none('reason', str))


def engine_digest(settings: dict[str, Any]) -> str:
    """Hash all settings that determine what comes out, as 16 hex digits.

    >>> engine_digest(dict(steps=20, size=[640, 256])) == engine_digest(
    ...     dict(size=(640, 256), steps=20))
    True
    """
    return hashlib.sha256(_canonical(settings)).hexdigest()[:16]


def job_id(source: dict[str, Any], edit: dict[str, Any], digest: str) -> str:
    """Hash what goes into a job and what is done to it, as its identity of 16 hex digits.

    It names the image, seeds the editor and chooses the process, so that neither order nor number
    of processes can matter.
    """
    return hashlib.sha256(_canonical([source, edit, digest])).hexdigest()[:16]


class ManifestPart(JsonlWriter):
    """The part file of one process, open for appending.

    A torn last line left by a kill is cut off when the file is opened; so open it first, then ask
    `load_done`.

    Args:
        folder: Folder of the run.
        shard: Index and count of the process.

    Raises:
        LockTaken: Another process has the part open.
    """

    def __init__(self, folder: str | os.PathLike, shard: tuple[int, int]) -> None:
        super().__init__(Path(folder) / f'part-{shard[0]:05d}-of-{shard[1]:05d}.jsonl',
                         keep_whole=False)

    def append(self, record: Record) -> None:
        """Add the line of a job; it is on disk when this returns.

        Raises:
            OSError: The disk refuses; the file is as before.
        """
        super().append(record.to_json())


def read_records(folder: str | os.PathLike) -> Iterator[Record]:
    """Yield all records of all parts; a torn last line is passed over.

    Raises:
        RecordError: Naming file and line of any other line that is no record.
    """
    for path in sorted(Path(folder).glob('part-*-of-*.jsonl')):
        for number, raw in iter_json_lines(path):
            yield Record.from_json(raw, f'{path}:{number}')


def load_done(folder: str | os.PathLike) -> dict[str, Record]:
    """Read the record of each job that is done, by `job_id`.

    A job with two lines (a failure tried again, a removed image made again) counts by the better
    one. A job whose image is gone is not done.
    """
    done: dict[str, Record] = {}
    for record in read_records(folder):
        known = done.get(record.job_id)
        if known is None or known.status == 'failed':
            done[record.job_id] = record
    images = _files_below(Path(folder) / 'images')
    return {key: record for key, record in done.items()
            if record.output.get('file') is None or record.output['file'] in images}


def claim_run(folder: str | os.PathLike, settings: dict[str, Any], plan: dict[str, Any]) -> str:
    """Bind a folder to one engine and one plan; returns the digest of the engine.

    Raises:
        OtherRun: The folder belongs to another engine or plan; the message says what differs.
    """
    path = Path(folder) / RUN_FILE
    mine = dict(schema=SCHEMA, digest=engine_digest(settings),
                settings=json.loads(_canonical(settings)), plan=plan)
    create_once(path, json.dumps(mine, indent=1, sort_keys=True))
    found = read_run(folder)
    differs = _differences(found, mine)
    if differs:
        raise OtherRun(
            f'{folder} belongs to another run: ' + '; '.join(differs[:5])
            + '. Its pairs and new ones would not mix: take these settings back, or use another '
            'out_dir')
    return mine['digest']


def read_run(folder: str | os.PathLike) -> dict[str, Any]:
    """Read the settings and the plan that a folder is bound to.

    Raises:
        MissingFile: No run has begun in the folder.
    """
    path = Path(folder) / RUN_FILE
    if not path.is_file():
        raise MissingFile(f'{path} not found: no generation has run in this folder yet')
    return json.loads(path.read_text(encoding='utf-8'))


def _differences(found: Any, mine: Any, name: str = '') -> list[str]:
    if isinstance(found, dict) and isinstance(mine, dict):
        return [text for key in sorted(found.keys() | mine.keys()) if key != 'digest'
                for text in _differences(found.get(key), mine.get(key), f'{name}.{key}'.strip('.'))]
    return [] if found == mine else [f'{name} was {found!r}, now {mine!r}']


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(',', ':'), allow_nan=False).encode()


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _files_below(folder: Path) -> set[str]:
    """List the paths of all files two levels down, as ``images/ab/abcd.png``."""
    return {f'{folder.name}/{child.name}/{entry.name}'
            for child in (folder.iterdir() if folder.is_dir() else ()) if child.is_dir()
            for entry in os.scandir(child)}
