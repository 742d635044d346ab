"""Exit codes of the tools, the same for all of them."""

from enum import IntEnum

__all__ = ['ExitCode', 'exit_code_of', 'list_exit_codes']


class ExitCode(IntEnum):
    """Code with which a tool ends."""

    DONE = 0
    USER = 1
    USAGE = 2
    PROGRAM = 70
    INTERRUPTED = 130
    CLOSED_PIPE = 141
    TERMINATED = 143


_MEANINGS = {
    ExitCode.DONE: 'done',
    ExitCode.USER: 'something that you can mend, said in one line',
    ExitCode.USAGE: 'a wrong command line',
    ExitCode.PROGRAM: 'a fault of the program, with its traceback',
    ExitCode.INTERRUPTED: 'ended by Ctrl-C',
    ExitCode.CLOSED_PIPE: 'nobody reads the output any more, as after "| head"',
    ExitCode.TERMINATED: 'ended by SIGTERM',
}


def exit_code_of(returncode: int) -> int:
    """Convert the return code of a process to the exit code that a shell gives it.

    Args:
        returncode: as of `subprocess`; below 0 for a process that a signal ended.

    Example:
        >>> exit_code_of(70), exit_code_of(-9)
        (70, 137)
    """
    return returncode if returncode >= 0 else 128 - returncode


def list_exit_codes() -> str:
    """List the codes and their meanings, a line each, as they stand in the help."""
    return '\n'.join(f'  {code:<5}{meaning}' for code, meaning in _MEANINGS.items())
