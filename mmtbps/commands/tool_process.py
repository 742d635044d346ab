"""A tool in a process of its own, for tools that run others."""

import subprocess
import sys
from pathlib import Path

from .exit_codes import exit_code_of

__all__ = ['run_tool']


def run_tool(script: str | Path, *arguments: object) -> None:
    """Run a tool to its end; its output goes on to ours.

    When this process is to stop, the tool is first, which gets the time that it needs.

    Args:
        script: path of the tool.
        arguments: its words.

    Raises:
        SystemExit: the tool failed; with its exit code.
    """
    process = subprocess.Popen([sys.executable, str(script), *map(str, arguments)])
    try:
        returncode = process.wait()
    except BaseException:
        process.terminate()  # no more than a second signal after Ctrl-C, which reaches both
        process.wait()
        raise
    if returncode:
        raise SystemExit(exit_code_of(returncode))
