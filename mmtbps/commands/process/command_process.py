"""A command in a process of its own, for commands that run others."""

import subprocess
import sys

from .exit_codes import exit_code_of

__all__ = ['run_process']


def run_process(name: str, *arguments: object) -> None:
    """Run a command to its end; its output goes on to ours.

    With ``--json`` ours is standard error. When this process is to stop, the command is first,
    which gets the time that it needs.

    Args:
        name: of the command.
        arguments: its words.

    Raises:
        SystemExit: the command failed; with its exit code.
    """
    process = subprocess.Popen([sys.executable, '-m', 'mmtbps', name, *map(str, arguments)],
                               stdout=_output())
    try:
        returncode = process.wait()
    except BaseException:
        process.terminate()  # no more than a second signal after Ctrl-C, which reaches both
        process.wait()
        raise
    if returncode:
        raise SystemExit(exit_code_of(returncode))


def _output() -> int | None:
    try:
        return sys.stdout.fileno()
    except (OSError, ValueError):  # of no file, as in a notebook
        return None
