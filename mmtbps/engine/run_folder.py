"""The work folder of a run: what lies there, and how a run begins in it."""

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

from mmtbps.errors import MissingFile, Remedy, UserError
from mmtbps.fileio import (
    BrokenCheckpoint,
    LockTaken,
    UnsafeCheckpoint,
    load_checkpoint_file,
    lock_descriptor,
    why_no_file,
)

__all__ = ['FolderTaken', 'NotResumable', 'POINTER', 'Start', 'alone_in', 'check_resumable',
           'choose_start', 'list_checkpoints', 'move_away', 'newest_whole', 'refuse_taken']

_STEP = re.compile(r'(?:epoch|iter)_(\d+)\.pth')
#: File that names the newest checkpoint.
POINTER = 'last_checkpoint'


class FolderTaken(UserError, FileExistsError):
    """A work folder that holds the checkpoints of another run.

    Args:
        folder: the folder.
        count: checkpoints in it.
    """

    def __init__(self, folder: Path, count: int) -> None:
        super().__init__(
            f'{folder} holds {count} checkpoint{"s" * (count > 1)} of a run; a new one needs '
            'another folder', Remedy('begin_run'))
        self.folder, self.count = folder, count

    def __reduce__(self) -> tuple:
        return type(self), (self.folder, self.count)


class NotResumable(UserError, ValueError):
    """A checkpoint, or a folder of them, from which no run can go on."""


@dataclass(frozen=True)
class Start:
    """The way a run begins.

    Args:
        checkpoint: file to load; ``None`` for random weights.
        resume: take over optimizer, schedule and place in the run, too.
        said: one sentence for the log.
    """

    checkpoint: str | None
    resume: bool
    said: str


def choose_start(cfg: Config, resume: str | None = None) -> Start:
    """Decide from the work folder how a run begins.

    Args:
        cfg: a complete config with its ``work_dir``.
        resume: a checkpoint, ``'auto'`` for the newest whole one of the work folder, or ``None``
            for a new run.

    Returns:
        The one of three: resumed, new from the weights of ``cfg.load_from``, new from those that
        the config's towers begin with.

    Raises:
        MissingFile: the checkpoint to resume from is not there.
        NotResumable: it is broken, or holds weights only; or all of the work folder are broken.
    """
    if resume not in (None, 'auto'):
        check_resumable(resume)
        return Start(resume, True, f'This run goes on from {resume}')
    broken: list[str] = []
    newest = newest_whole(cfg.work_dir, broken.append) if resume else None
    if newest:
        without = f' (left out: {"; ".join(broken)})' if broken else ''
        return Start(str(newest), True, f'This run goes on from {newest}{without}')
    if broken:
        raise NotResumable(f'{cfg.work_dir}: no checkpoint is whole ({"; ".join(broken)})')
    if resume and (others := sorted(Path(cfg.work_dir).glob('*.pth'))):
        raise NotResumable(f'{others[0]}: holds weights, but not the state of a run, and no other '
                           'checkpoint is there. Begin a new run from it with load_from, in '
                           'another folder')
    nothing = f'{cfg.work_dir} holds no checkpoint to resume from: ' if resume else ''
    if cfg.get('load_from'):
        return Start(cfg.load_from, False, f'{nothing}a new run from the weights of '
                                           f'{cfg.load_from}')
    return Start(None, False, f'{nothing}a new run')


def list_checkpoints(folder: str | os.PathLike) -> list[Path]:
    """List the checkpoints of a run that hold its state, the newest first.

    The newest is the one that the file ``last_checkpoint`` names, looked for in this folder
    whatever folder stands before the name: a copied or moved run goes on from its own files.

    Args:
        folder: a work folder.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ('epoch_2.pth', 'epoch_10.pth', 'best_t2i_R1_epoch_2.pth'):
        ...     (folder / name).touch()
        >>> [path.name for path in list_checkpoints(folder)]
        ['epoch_10.pth', 'epoch_2.pth']
    """
    folder = Path(folder)
    found = [path for path in folder.glob('*.pth') if _STEP.fullmatch(path.name)]
    found.sort(key=lambda path: int(_STEP.fullmatch(path.name)[1]), reverse=True)
    pointer = folder / POINTER
    text = pointer.read_text('utf-8', errors='replace').strip() if pointer.is_file() else ''
    found.sort(key=lambda path: path.name != re.split(r'[\\/]', text)[-1])  # stable
    return found


def newest_whole(folder: str | os.PathLike, left_out: Callable[[str], None]) -> Path | None:
    """Find the newest checkpoint of a run that a run can go on from.

    Args:
        folder: a work folder.
        left_out: called with the name of each newer one and what is wrong with it.
    """
    for path in list_checkpoints(folder):
        try:
            check_resumable(path)
        except UserError as error:
            left_out(str(error).removeprefix(f'{path.parent}{os.sep}'))
        else:
            return path
    return None


def check_resumable(path: str | os.PathLike) -> None:
    """Make sure that a run can go on from a checkpoint.

    Raises:
        MissingFile: there is no such file.
        NotResumable: it is broken, or holds weights only.
    """
    if '://' in str(path):
        return
    if reason := why_no_file(path, 'no such checkpoint'):
        raise MissingFile(f'{path}: {reason}')
    try:
        checkpoint = load_checkpoint_file(path, map_location='cpu', mmap=True)
    except (BrokenCheckpoint, UnsafeCheckpoint) as error:
        raise NotResumable(str(error)) from error
    if not isinstance(checkpoint, Mapping):
        raise NotResumable(f'{path}: no checkpoint, but a {type(checkpoint).__name__}')
    if not {'meta', 'optimizer', 'message_hub'} <= checkpoint.keys():
        raise NotResumable(
            f'{path}: holds weights, but not the state of a run. Resume from one of its '
            f'epoch_N.pth, or begin a new run from these weights with load_from={path}')


def refuse_taken(folder: str | os.PathLike, resumed_from: str | os.PathLike | None = None) -> None:
    """Refuse to run where another run keeps its checkpoints.

    Args:
        folder: the work folder.
        resumed_from: checkpoint that the run goes on from; one of this folder makes it its own.

    Raises:
        FolderTaken: the folder holds checkpoints of another run.
    """
    own = resumed_from is not None and '://' not in str(resumed_from) and (
        Path(resumed_from).resolve().parent == Path(folder).resolve())
    if not own and (found := sorted(Path(folder).glob('*.pth'))):
        raise FolderTaken(Path(folder), len(found))


@contextlib.contextmanager
def alone_in(folder: str | os.PathLike, patience: float = 15) -> Iterator[None]:
    """Hold a work folder, so that no second run begins or goes on in it meanwhile.

    The lock is on the folder itself and leaves no file; where the system or the file system knows
    none, there is none.

    Args:
        folder: a work folder; made if it is missing.
        patience: seconds to wait for the workers of a run that was killed, which hold it until
            they notice.

    Raises:
        LockTaken: a run is at work in it.
    """
    try:
        os.makedirs(folder, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # the checks of a run say it in words
        yield
        return
    try:
        until = time.monotonic() + patience
        while True:
            try:
                lock_descriptor(descriptor, folder, wait=False)
                break
            except LockTaken:
                if time.monotonic() >= until:
                    raise
                time.sleep(.2)
        yield
    finally:
        os.close(descriptor)


def move_away(folder: str | os.PathLike) -> Path | None:
    """Move everything in a work folder to ``old-DATE`` inside it; nothing is deleted.

    Earlier ``old-*`` folders stay where they are.

    Args:
        folder: a work folder, which may be missing or empty.

    Returns:
        The new folder, ``None`` if there was nothing to move.
    """
    folder = Path(folder)
    entries = [path for path in folder.iterdir() if not path.name.startswith('old-')
               ] if folder.is_dir() else []
    if not entries:
        return None
    target = folder / time.strftime('old-%Y%m%d-%H%M%S')
    for number in range(1, 1000):
        try:
            target.mkdir()
            break
        except FileExistsError:
            target = target.with_name(f'{target.name.partition(".")[0]}.{number}')
    for path in entries:
        path.rename(target / path.name)
    return target
