"""Processes that find the libraries loaded: each is a fork of one server, which loaded them once.

For tests of what a tool or a function does in a process of its own. Those of how a process begins,
of what it imports or of its death start Python itself.
"""

import atexit
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from unittest.mock import patch

import torch.multiprocessing as processes

TESTS = Path(__file__).resolve().parent
SECONDS, POPEN = 300, subprocess.Popen


def server():
    """Return the context of ``multiprocessing`` whose server has loaded the libraries."""
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(['loaded_libraries'])
    path = os.pathsep.join([str(TESTS), str(TESTS.parent), os.environ.get('PYTHONPATH', '')])
    with patch.dict(os.environ, PYTHONPATH=path, HF_HUB_OFFLINE='1'):
        forkserver.ensure_running()
    return context


def start_ranks(function, args, world):
    """Run ``function(rank, *args)`` in ``world`` processes and wait for them."""
    server()
    processes.start_processes(function, args, nprocs=world, start_method='forkserver')


class Tool:
    """A tool that runs in a process, as ``subprocess.Popen`` of text has it.

    Args:
        words: a file of Python, or ``-m`` and a module; then its command line.
        cwd: working directory.
        env: all environment variables.
    """

    def __init__(self, words: Sequence[object], cwd: str | Path = '.',
                 env: Mapping[str, str] | None = None) -> None:
        context = server()
        ends = [context.Pipe(duplex=False) for _ in range(2)]
        self.process = context.Process(target=_be_a_tool, args=(
            [*map(str, words)], str(Path(cwd).absolute()), dict(os.environ if env is None else env),
            *(writing for _, writing in ends)))
        self.process.start()
        for _, writing in ends:
            writing.close()
        self.stdout, self.stderr = (os.fdopen(os.dup(reading.fileno())) for reading, _ in ends)
        self.pid, self.terminate, self.kill = (
            self.process.pid, self.process.terminate, self.process.kill)

    @property
    def returncode(self) -> int | None:
        return self.process.exitcode

    def communicate(self, timeout: float = SECONDS) -> tuple[str, str]:
        """Wait for its end; return all that it printed and its errors."""
        with self.stdout, self.stderr, ThreadPoolExecutor() as pool:
            said = [pool.submit(stream.read) for stream in (self.stdout, self.stderr)]
            self.process.join(timeout)
            if self.returncode is None:
                self.kill()
            out, err = (text.result() for text in said)
            self.process.join()
        return out, err


def run_tool(words: Sequence[object], **process) -> subprocess.CompletedProcess:
    """Run a tool to its end, as ``subprocess.run`` does that captures its text."""
    tool = Tool(words, **process)
    out, err = tool.communicate()
    return subprocess.CompletedProcess([*words], tool.returncode, out, err)


def _be_a_tool(words: list[str], folder: str, environment: dict[str, str], output: Connection,
               errors: Connection) -> None:
    for descriptor, target in ((os.open(os.devnull, os.O_RDONLY), 0), (output.fileno(), 1),
                               (errors.fileno(), 2)):
        os.dup2(descriptor, target)
    output.close(), errors.close()
    sys.stdout = open(1, 'w', closefd=False)
    sys.stderr = open(2, 'w', buffering=1, errors='backslashreplace', closefd=False)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path = ['', *filter(None, environment.get('PYTHONPATH', '').split(os.pathsep)),
                *(path for path in sys.path if not Path(path).is_relative_to(TESTS))]
    subprocess.Popen = start
    become(words)


def become(argv: list[str]) -> None:
    """Run a tool, or a module after ``-m``, in this process; end it as the interpreter would."""
    code = 0
    try:
        if argv[0] == '-m':
            sys.argv, sys.path[0] = argv[1:], os.getcwd()
            runpy.run_module(argv[1], run_name='__main__', alter_sys=True)
        sys.argv, sys.path[0] = argv, str(Path(argv[0]).resolve().parent)
        runpy.run_path(argv[0], run_name='__main__')
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if code is not end.code and code:
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


class Forked:
    """Process of a command that another starts, which need not load everything anew."""

    def __init__(self, argv: Sequence[str]) -> None:
        sys.stdout.flush()
        self.pid = os.fork()
        if not self.pid:
            become([*argv])

    def wait(self) -> int:
        """Wait for its end; return the exit code."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def terminate(self) -> None:
        """Ask it to end."""
        os.kill(self.pid, signal.SIGTERM)


def start(command: Sequence[str], *args, **options) -> Forked | subprocess.Popen:
    """Stand in for ``subprocess.Popen``, which starts Python anew."""
    if command[0] == sys.executable and not args and not options:
        return Forked(command[1:])
    return POPEN(command, *args, **options)
