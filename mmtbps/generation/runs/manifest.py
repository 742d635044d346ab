"""What a run has done, a JSON line a job: written so that a kill at any moment loses nothing.

The image goes to a temporary file, to disk and then under its name; only after that its line goes
to the part file of this process and to disk. Whoever reads a line finds its image. A process reads
all parts at its start and leaves out the jobs they hold, whatever number of processes wrote them.
"""

import errno
import hashlib
import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import TracebackType
from typing import Any

from mmtbps.fileio import iter_json_lines
from mmtbps.records import Entry, RecordError

__all__ = ['ManifestPart', 'Record', 'claim_run', 'engine_digest', 'job_id', 'load_done',
           'read_records', 'read_run', 'write_atomic']

SCHEMA = 'mmtbps.pdg/1'
STATUSES = ('accepted', 'rejected', 'failed')
RUN_FILE = 'run.json'


@dataclass(frozen=True, slots=True)
class Record:
    """The outcome of one job.

    Args:
        job_id: See `job_id`.
        status: ``'accepted'`` or ``'rejected'`` by the gates, or ``'failed'``.
        source: Data set, split, image, person id and captions edited, and the image's ``sha256``.
        edit: What changes, see `mmtbps.generation.planning.planner.Job`.
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
        """A dict of JSON types; numbers that JSON does not know become ``null``."""
        values = {f.name: _finite(getattr(self, f.name)) for f in fields(self)}
        return dict(schema=SCHEMA, **{key: value for key, value in values.items()
                                      if value is not None})

    @classmethod
    def from_json(cls, raw: Any, where: str = 'record') -> 'Record':
        """The record written by :meth:`to_json`.

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
    """A short name of all settings that determine what comes out.

    >>> engine_digest(dict(steps=20, size=[640, 256])) == engine_digest(
    ...     dict(size=(640, 256), steps=20))
    True
    """
    return hashlib.sha256(_canonical(settings)).hexdigest()[:16]


def job_id(source: dict[str, Any], edit: dict[str, Any], digest: str) -> str:
    """The identity of a job: 16 hex digits of what goes in and what is done to it.

    It names the image, seeds the editor and chooses the process, so that neither order nor number
    of processes can matter.
    """
    return hashlib.sha256(_canonical([source, edit, digest])).hexdigest()[:16]


def write_atomic(path: str | os.PathLike, data: bytes) -> None:
    """Write a file that is whole and on disk, or not there.

    Raises:
        OSError: If the disk is full, with what to do; nothing is left behind.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + '.partial')
    try:
        with open(partial, 'wb') as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise _explained(error, path) from error


class ManifestPart:
    """The part file of one process, open for appending.

    A torn last line left by a kill is cut off when the file is opened; so open it first, then ask
    `load_done`.

    Args:
        folder: Folder of the run.
        shard: Index and count of the process.

    Raises:
        RuntimeError: If another process has the part open.
    """

    def __init__(self, folder: str | os.PathLike, shard: tuple[int, int]) -> None:
        self.path = Path(folder) / f'part-{shard[0]:05d}-of-{shard[1]:05d}.jsonl'
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
        _lock(self._descriptor, self.path)
        data = self.path.read_bytes()
        os.ftruncate(self._descriptor, data.rfind(b'\n') + 1)

    def append(self, record: Record) -> None:
        """Add a line; it is on disk when this returns.

        Raises:
            OSError: If the disk is full; the file is as before.
        """
        text = json.dumps(record.to_json(), ensure_ascii=False, allow_nan=False)
        line = text.encode() + b'\n'
        before = os.fstat(self._descriptor).st_size
        try:
            if os.write(self._descriptor, line) != len(line):
                raise OSError(errno.ENOSPC, 'the disk took only a part of a line')
            os.fsync(self._descriptor)
        except OSError as error:
            os.ftruncate(self._descriptor, before)
            raise _explained(error, self.path) from error

    def close(self) -> None:
        """Close the file and give up the lock."""
        os.close(self._descriptor)

    def __enter__(self) -> 'ManifestPart':
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()


def read_records(folder: str | os.PathLike) -> Iterator[Record]:
    """All lines of all parts; a torn last line is passed over.

    Raises:
        RecordError: Naming file and line of any other line that is no record.
    """
    for path in sorted(Path(folder).glob('part-*-of-*.jsonl')):
        for number, raw in iter_json_lines(path):
            yield Record.from_json(raw, f'{path}:{number}')


def load_done(folder: str | os.PathLike) -> dict[str, Record]:
    """The record of each job that is done, by `job_id`.

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
        ValueError: If the folder belongs to another engine or plan; the message says what differs.
    """
    path = Path(folder) / RUN_FILE
    mine = dict(schema=SCHEMA, digest=engine_digest(settings),
                settings=json.loads(_canonical(settings)), plan=plan)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        # A link appears whole and only once, also when several processes start together.
        partial = path.with_name(f'{RUN_FILE}.{os.getpid()}.partial')
        write_atomic(partial, json.dumps(mine, indent=1, sort_keys=True).encode())
        try:
            os.link(partial, path)
        except FileExistsError:
            pass
        except OSError:  # a file system without links
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)
    found = read_run(folder)
    differs = _differences(found, mine)
    if differs:
        raise ValueError(
            f'{folder} belongs to another run: ' + '; '.join(differs[:5])
            + '. Its pairs and new ones would not mix: take these settings back, or use another '
            'out_dir')
    return mine['digest']


def read_run(folder: str | os.PathLike) -> dict[str, Any]:
    """What `claim_run` wrote.

    Raises:
        FileNotFoundError: If no run has begun in the folder.
    """
    path = Path(folder) / RUN_FILE
    if not path.is_file():
        raise FileNotFoundError(f'{path} not found: no generation has run in this folder yet')
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
    """Paths of all files two levels down, as ``images/ab/abcd.png``."""
    return {f'{folder.name}/{child.name}/{entry.name}'
            for child in (folder.iterdir() if folder.is_dir() else ()) if child.is_dir()
            for entry in os.scandir(child)}


def _explained(error: OSError, path: Path) -> OSError:
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return error
    return OSError(error.errno, f'{path}: the disk is full. Everything up to here is kept: free '
                   'some space and start the same command again')


def _lock(descriptor: int, path: Path) -> None:
    """Held until the process ends, however it ends."""
    try:
        import fcntl
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise RuntimeError(f'{path} is being written by another process: this shard runs already'
                           ) from error
    except (ImportError, OSError):
        pass  # no such locks on this system or file system
