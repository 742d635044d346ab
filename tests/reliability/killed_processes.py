"""Tools that run in processes of their own and are killed at a chosen step.

A step is something that a process does to the disk below a folder, or a call of a function that a
test names. A first process loads the package once; it forks one process for each command, which
then runs the tool's own file from its first line to its last.
"""

import json
import mmap
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from forked_processes import SECONDS, become, start

ROOT = Path(__file__).resolve().parents[2]
LOADED = ('torch', 'mmtbps', 'mmtbps.engine.launch', 'mmtbps.datasets', 'mmtbps.models',
          'mmtbps.evaluation', 'mmtbps.drawing', 'mmtbps.generation.runs.runner',
          'mmtbps.generation.editing.recolor', 'mmtbps.search.inferencer',
          'mmtbps.search.indexing', 'mmtbps.search.result_files', 'mmtbps.visualization',
          'mmtbps.search.encoders.torch_encoder', 'mmpretrain.models', 'rich.progress', 'tarfile')
#: Events of Python's audit hooks that are steps, and the place of the path among their arguments.
EVENTS = {'open': 0, 'os.rename': 0, 'os.remove': 0, 'os.link': 1, 'os.mkdir': 0, 'os.rmdir': 0,
          'os.truncate': 0}
#: Those that may name a path from an open folder, their last argument.
IN_A_FOLDER = 'os.rename', 'os.remove', 'os.link', 'os.mkdir', 'os.rmdir'
#: End of the name of a file that has not got its own name yet.
UNNAMED = r'\.(partial|tmp)$'


class Ended(NamedTuple):
    """A process that has ended: exit code, or minus the signal; its steps; all that it printed."""

    code: int
    steps: list[str]
    output: str

    @property
    def killed(self) -> bool:
        return self.code == -signal.SIGKILL


class Tools:
    """A process that has loaded modules and runs tools, each in a fork of itself.

    Args:
        modules: to be loaded once.
    """

    def __init__(self, modules: Sequence[str] = LOADED) -> None:
        self.modules = modules

    def __enter__(self) -> 'Tools':
        environment = dict(os.environ, OMP_NUM_THREADS='1', PYTHONPATH=os.pathsep.join(
            [str(ROOT), str(ROOT / 'tests'), os.environ.get('PYTHONPATH', '')]))
        self._process = subprocess.Popen(
            [sys.executable, __file__, *self.modules], env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return self

    def __exit__(self, *_) -> None:
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def run(self, tool: str | Path, *words: object, watch: Path, kill: int | str | None = None,
            calls: Sequence[str] = (), only_first: bool = False, cwd: Path = ROOT) -> Ended:
        """Run a tool to its end, or to the step at which it is killed.

        Args:
            tool: its file, from ``cwd``.
            words: its options.
            watch: folder below which work on the disk is a step.
            kill: number of the step, from 1, or a pattern that its words match; before this step is
                done, or with half of it where it writes, the process is killed.
            calls: functions, ``'module:Class.name'``, whose calls are steps too.
            only_first: kill the process that was started, and none of its children.
            cwd: working directory.
        """
        with suppress(FileNotFoundError):
            os.unlink(record := f'{watch}.steps')
        request = dict(argv=[str(tool), *map(str, words)], watch=str(watch), kill=kill,
                       record=record, output=f'{watch}.output', calls=list(calls),
                       only_first=only_first, cwd=str(cwd))
        print(json.dumps(request), file=self._process.stdin, flush=True)
        code = int(self._process.stdout.readline())
        return Ended(code, Path(record).read_text().splitlines(),
                     Path(request['output']).read_text(errors='replace'))


def spread(steps: Sequence[str], count: int = 20, **kinds: tuple[str, int]) -> list[int]:
    """Choose moments of a run, numbers of steps from 1, all over it.

    Args:
        steps: of an uninterrupted run.
        count: how many moments; eight lie between the first write of a file and its new name.
        kinds: pattern of further steps that are wanted, and how many of them.
    """
    chosen: set[int] = set()
    for pattern, wanted in [(rf'(write|fsync|rename) .*{UNNAMED}', 8), *kinds.values(),
                            ('', None)]:
        wanted = count - len(chosen) if wanted is None else wanted
        fitting = [number for number, step in enumerate(steps, 1)
                   if re.match(pattern, step) and number not in chosen]
        assert len(fitting) >= wanted, f'{len(fitting)} steps {pattern!r}, not {wanted}'
        chosen |= {fitting[(2 * turn + 1) * len(fitting) // (2 * wanted)]
                   for turn in range(wanted)}
    return sorted(chosen)


def unnamed_files(folder: Path) -> set[tuple[Path, int]]:
    """Find new files, with the time of their last change, that are not under their names yet."""
    return {(path, path.stat().st_mtime_ns) for path in folder.rglob('*')
            if path.is_file() and re.search(UNNAMED, path.name)}


class Watch:
    """Count of the steps of a process and of those it forks, and the kill at one of them."""

    def __init__(self, request: dict) -> None:
        self.folder, self.kill = request['watch'], request['kill']
        self.victim = (os.kill if request['only_first'] else os.killpg), os.getpid()
        self.record = os.open(request['record'], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.write, self.count = os.write, mmap.mmap(-1, 4)
        self.lock = multiprocessing.get_context('fork').Lock()
        self.inside = threading.local()
        self._watch_files()
        for name in request['calls']:
            self._watch_calls(name)
        sys.addaudithook(self._see)

    def step(self, kind: str, path: str, tear=None) -> None:
        """Count a step, and kill if it is the one; a write is done by half before."""
        words = f'{kind} {path}'
        with self.lock:
            number = int.from_bytes(self.count[:], 'little') + 1
            self.count[:] = number.to_bytes(4, 'little')
            self.write(self.record, f'{words}\n'.encode())
        if number == self.kill or (isinstance(self.kill, str) and re.match(self.kill, words)):
            if tear:
                tear()
            send, process = self.victim
            send(process, signal.SIGKILL)

    def _see(self, event: str, arguments: tuple) -> None:
        if event not in EVENTS or getattr(self.inside, 'torn', False):
            return
        if event == 'open' and not arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return
        if event in IN_A_FOLDER and arguments[-1] != -1:  # named from an open folder: a clearing up
            return
        if path := self._within(arguments[EVENTS[event]]):
            self.step(event.removeprefix('os.'), path)

    def _within(self, path: object) -> str | None:
        """Return a path, or that of an open file, below the folder; ``None`` if it is not there."""
        with suppress(OSError, TypeError):
            path = os.readlink(f'/proc/self/fd/{path}') if isinstance(path, int) else path
            path = os.path.abspath(os.fsdecode(path))
            inside = f'{path}/'.startswith(f'{self.folder}/')
            return os.path.relpath(path, self.folder) if inside else None

    def _watch_files(self) -> None:
        write, fsync, write_bytes = os.write, os.fsync, Path.write_bytes

        def watched_write(descriptor, data):
            if path := self._within(descriptor):
                self.step('write', path, lambda: write(descriptor, data[:len(data) // 2]))
            return write(descriptor, data)

        def watched_fsync(descriptor):
            if path := self._within(descriptor):
                self.step('fsync', path)
            fsync(descriptor)

        def watched_write_bytes(file, data):
            def tear():
                self.inside.torn = True
                write_bytes(file, data[:len(data) // 2])

            if path := self._within(file):
                self.step('write', path, tear)
            return write_bytes(file, data)

        os.write, os.fsync, Path.write_bytes = watched_write, watched_fsync, watched_write_bytes

    def _watch_calls(self, name: str) -> None:
        module, _, path = name.partition(':')
        *owners, attribute = path.split('.')
        owner = import_module(module)
        for part in owners:
            owner = getattr(owner, part)
        real = getattr(owner, attribute)

        def call(*args, **kwargs):
            self.step('call', path)
            return real(*args, **kwargs)

        setattr(owner, attribute, call)


def serve() -> None:
    """Read a request a line, and write the exit code of each."""
    for module in sys.argv[1:]:
        import_module(module)
    for line in sys.stdin:
        request = json.loads(line)
        if not (process := os.fork()):
            os.setsid()
            output = os.open(request['output'], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            for descriptor, target in ((os.open(os.devnull, os.O_RDONLY), 0), (output, 1),
                                       (output, 2)):
                os.dup2(descriptor, target)
            os.chdir(request['cwd'])
            signal.alarm(SECONDS)  # rather dead than hanging
            subprocess.Popen = start
            Watch(request)
            become(request['argv'])
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        print(code, flush=True)


if __name__ == '__main__':
    serve()
