"""Manifest of a run, a JSON line a job: written so that a kill at any moment loses nothing.

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
from types import TracebackType
from typing import Any

from mmtbps.errors import BadValue, MissingFile, Remedy
from mmtbps.fileio import (
    JsonlWriter,
    LockTaken,
    as_path,
    create_once,
    is_remote,
    iter_json_lines,
    write_durably,
)
from mmtbps.merged_pairs import RUN_FILE, digest_of_run, part_files
from mmtbps.records import Entry, RecordError

from .record_sections import check_sections

__all__ = ['ENGINE_VERSION', 'ManifestPart', 'OtherRun', 'Record', 'claim_run', 'engine_digest',
           'fault_of_second', 'fault_of_stranger', 'job_id', 'load_done', 'note_images',
           'read_images', 'read_records', 'read_run']

#: Part of every run's digest, apart from the version of the package. To be raised when the same
#: settings give other images, verdicts or ids than before: a run then refuses to mix the two.
ENGINE_VERSION = '0.1.0'

SCHEMA = 'mmtbps.pdg/1'
STATUSES = ('accepted', 'rejected', 'failed')
IMAGES_FILE = 'images.json'


class OtherRun(BadValue):
    """A folder that holds the pairs of another engine or plan."""


@dataclass(frozen=True, slots=True)
class Record:
    """Outcome of one job.

    Args:
        job_id: See `job_id`.
        status: ``'accepted'`` or ``'rejected'`` by the gates, or ``'failed'``.
        source: Data set, split, image, person id and captions edited, and the image's ``sha256``.
        edit: The change, see `mmtbps.generation.runs.plan.Job`.
        output: New captions and group; with an image its ``file`` in the folder of the run,
            ``sha256`` and ``size`` (height, width).
        engine: ``digest`` of the run and the job's ``seed``.
        gates: Name -> ``value``, ``ok`` and the bounds ``min`` and ``max`` that apply, and where
            they say something ``judged`` and ``reason``, see `GateVerdict`.
        controls: Name of a negative control -> true if the gates let it pass. Empty for jobs on
            which none was tried.
        cost: Denoiser evaluations and seconds.
        shard: Part of the work it was done with, ``'3/8'``.
        time: Time of its end, UTC.
        reason: Cause of a failure.
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

    @property
    def source_image(self) -> str:
        """Path of the source image in its folder; a `RecordError` if there is none."""
        return Entry(self.source, f'{self.job_id}, source').take('image', str)

    def to_json(self) -> dict[str, Any]:
        """Return a dict of JSON types; numbers that JSON does not know become ``null``."""
        values = {f.name: _finite(getattr(self, f.name)) for f in fields(self)}
        return dict(schema=SCHEMA, **{key: value for key, value in values.items()
                                      if value is not None})

    @classmethod
    def from_json(cls, raw: Any, where: str = 'record') -> 'Record':
        """Read the record that :meth:`to_json` wrote.

        Raises:
            RecordError: If it is of another schema, a key is missing or of a wrong type, or as
                `check_sections`.
        """
        entry = Entry(raw, where)
        if (schema := entry.take('schema', str)) != SCHEMA:
            raise RecordError(f'{where}: schema {schema!r}, but this version reads {SCHEMA!r}')
        texts = {key: entry.take(key, str) for key in ('job_id', 'status', 'shard', 'time')}
        if texts['status'] not in STATUSES:
            raise RecordError(f'{where}: status must be one of {STATUSES}, '
                              f'got {texts["status"]!r}')
        sections = {key: entry.take(key, dict) for key in
                    ('source', 'edit', 'output', 'engine', 'gates', 'controls', 'cost')}
        check_sections(texts['job_id'], sections['output'], sections['gates'],
                       sections['controls'], where)
        return cls(**texts, **sections, reason=entry.take_or_none('reason', str))


def engine_digest(settings: dict[str, Any]) -> str:
    """Compute a short name of all settings that determine the images.

    >>> engine_digest(dict(steps=20, size=[640, 256])) == engine_digest(
    ...     dict(size=(640, 256), steps=20))
    True
    """
    return hashlib.sha256(_canonical(settings)).hexdigest()[:16]


def job_id(source: dict[str, Any], edit: dict[str, Any], digest: str) -> str:
    """Compute the identity of a job: 16 hex digits of its image, its change and the engine.

    It names the image, seeds the editor and chooses the process, so that neither order nor number
    of processes can matter.
    """
    return hashlib.sha256(_canonical([source, edit, digest])).hexdigest()[:16]


class ManifestPart:
    """Part file of one process, open for appending; see `JsonlWriter`.

    Open it first, then ask `load_done`: a torn last line left by a kill goes when it is opened.

    Args:
        folder: Folder of the run.
        shard: Part of the work that this process does.

    Raises:
        LockTaken: If another process has the part open.
    """

    def __init__(self, folder: str | os.PathLike, shard: tuple[int, int]) -> None:
        self.path = Path(folder) / f'part-{shard[0]:05d}-of-{shard[1]:05d}.jsonl'
        try:
            self._writer = JsonlWriter(self.path, keep_whole=False)
        except LockTaken as error:
            raise LockTaken(f'{self.path} is being written by another process: this shard runs '
                            'already') from error

    def append(self, record: Record) -> None:
        """Add a line; it is on disk when this returns.

        Raises:
            DiskFull: If the disk is full; the file is as before.
        """
        self._writer.append(record.to_json())

    def close(self) -> None:
        """Close the file and give up the lock."""
        self._writer.close()

    def __enter__(self) -> 'ManifestPart':
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()


def read_records(folder: str | os.PathLike) -> Iterator[Record]:
    """Yield the records of all parts; a torn last line is passed over.

    Raises:
        RecordError: Naming file and line of any other line that is no record.
    """
    return (record for _, record in _placed_records(folder))


def _placed_records(folder: str | os.PathLike) -> Iterator[tuple[str, Record]]:
    """Yield the records of all parts, each with its file and line in words."""
    try:
        for path in part_files(folder):
            for number, raw in iter_json_lines(path):
                yield f'{path}:{number}', Record.from_json(raw, f'{path}:{number}')
    except RecordError as error:
        error.remedy = Remedy('set_aside')
        raise


def load_done(folder: str | os.PathLike) -> dict[str, Record]:
    """Read the record of each job that is done, by `job_id`.

    A job with two lines (a failure tried again, a removed image made again) counts by the better
    one. A job whose image is gone is not done.

    Raises:
        RecordError: If a line is no record, of another run, or a second line of a job and none
            that a run writes.
    """
    done: dict[str, Record] = {}
    places: dict[str, str] = {}
    digest = digest_of_run(folder)
    for place, record in _placed_records(folder):
        if fault := fault_of_stranger(record, digest):
            raise RecordError(f'{place}: {fault}', Remedy('set_aside'))
        known = done.get(record.job_id)
        if known is not None and (fault := fault_of_second(known, record)):
            raise RecordError(f'{place}: job {record.job_id} a second time, {fault} '
                              f'{places[record.job_id]}', Remedy('set_aside'))
        if known is None or known.status == 'failed':
            done[record.job_id], places[record.job_id] = record, place
    images = _files_below(Path(folder) / 'images')
    return {key: record for key, record in done.items()
            if record.output.get('file') is None or record.output['file'] in images}


def fault_of_stranger(record: Record, digest: str | None) -> str | None:
    """Tell why a line is none of this run; ``None`` if it may be, as where no digest is known."""
    theirs = record.engine.get('digest')
    if None in (theirs, digest) or theirs == digest:
        return None
    return f'job {record.job_id} is of run {theirs}, and this folder of run {digest}'


def fault_of_second(known: Record, second: Record) -> str | None:
    """Tell why two lines of one job cannot both be of one run; ``None`` if they can.

    A run writes a second line where the first is of a failure, and where the image had been
    removed: it then says the same, at another time.

    >>> first = Record('00', 'accepted', {}, {}, {}, {}, time='noon')
    >>> fault_of_second(first, first)
    'a copy of'
    >>> fault_of_second(first, Record('00', 'accepted', {}, {}, {}, {}, time='two'))
    """
    if 'failed' in (known.status, second.status):
        return None
    if second == known:
        return 'a copy of'
    told, again = ((record.status, record.source, record.edit, record.output.get('captions'),
                    record.engine) for record in (known, second))
    return None if told == again else 'which contradicts'


def claim_run(folder: str | os.PathLike, settings: dict[str, Any], plan: dict[str, Any]) -> str:
    """Bind a folder to one engine and one plan.

    Returns:
        The digest of the engine.

    Raises:
        OtherRun: If the folder belongs to another engine or plan; the message says what differs.
    """
    mine = dict(schema=SCHEMA, digest=engine_digest(settings),
                settings=json.loads(_canonical(settings)), plan=plan)
    create_once(Path(folder) / RUN_FILE, json.dumps(mine, indent=1, sort_keys=True))
    differs = _differences(read_run(folder), mine)
    if differs:
        raise OtherRun(
            f'{folder} belongs to another run: ' + '; '.join(differs[:5])
            + '. Its pairs and new ones would not mix: take these settings back, or use another '
            'out_dir')
    return mine['digest']


def read_run(folder: str | os.PathLike) -> dict[str, Any]:
    """Read what `claim_run` wrote.

    Raises:
        MissingFile: If no run has begun in the folder.
        RecordError: If the file is no JSON, or a key is missing.
    """
    path = Path(folder) / RUN_FILE
    if not path.is_file():
        raise MissingFile(f'{path} not found: no generation has run in this folder yet')
    try:
        run = Entry(json.loads(path.read_text(encoding='utf-8')), str(path))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise RecordError(f'{path}: broken JSON ({error})') from error
    run.take('digest', str)
    run.take('settings', dict)
    Entry(run.take('plan', dict), f'{path}, plan').take('jobs', int)
    return run.raw


def note_images(folder: str | os.PathLike, images: str | os.PathLike) -> None:
    """Note beside a run the folder of its source images, which may be another at each start."""
    place = str(as_path(images)) if is_remote(images) else os.path.abspath(images)
    noted = json.dumps(dict(images=place), ensure_ascii=False) + '\n'
    path = Path(folder) / IMAGES_FILE
    if not path.is_file() or path.read_bytes() != noted.encode('utf-8', 'backslashreplace'):
        write_durably(path, noted.encode('utf-8', 'backslashreplace'))


def read_images(folder: str | os.PathLike) -> str | None:
    """Read what `note_images` wrote; ``None`` for a run of a version that noted nothing.

    Raises:
        RecordError: If the file is no JSON object with a text ``images``.
    """
    path = Path(folder) / IMAGES_FILE
    if not path.is_file():
        return None
    try:
        return Entry(json.loads(path.read_text(encoding='utf-8')), str(path)).take('images', str)
    except json.JSONDecodeError as error:
        raise RecordError(f'{path}: broken JSON ({error})') from error


def _differences(there: Any, mine: Any, name: str = '') -> list[str]:
    if isinstance(there, dict) and isinstance(mine, dict):
        return [text for key in sorted(there.keys() | mine.keys()) if key != 'digest'
                for text in _differences(there.get(key), mine.get(key), f'{name}.{key}'.strip('.'))]
    return [] if there == mine else [f'{name} was {there!r}, now {mine!r}']


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(',', ':'), allow_nan=False).encode()


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _files_below(folder: Path) -> set[str]:
    """Collect the paths of all files two levels down, as ``images/ab/abcd.png``."""
    return {f'{folder.name}/{child.name}/{entry.name}'
            for child in (folder.iterdir() if folder.is_dir() else ()) if child.is_dir()
            for entry in os.scandir(child)}
