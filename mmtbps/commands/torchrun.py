"""Torchrun with the exit code of the process that failed, of which it alone makes a 1.

    python -m mmtbps.commands.torchrun [options of torchrun] TOOL [options of the tool]
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from .process.exit_codes import ExitCode, exit_code_of
from .wording.user_errors import one_line_errors

__all__ = ['code_of_failures', 'main']

#: The process said in a line why it ended; torchrun's report would only hide it.
_SAID = (ExitCode.USER, ExitCode.USAGE, ExitCode.INTERRUPTED, ExitCode.TERMINATED)


def main(argv: Sequence[str] | None = None) -> None:
    """Start the processes and wait for them.

    Args:
        argv: as of torchrun.

    Raises:
        SystemExit: a process failed, or a signal ended them all.
    """
    with one_line_errors():
        _start(argv)


def _start(argv: Sequence[str] | None) -> None:
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import main as start
    try:
        start(argv)
    except ChildFailedError as error:
        code = code_of_failures(error.failures)
        if code not in _SAID:
            print(error, file=sys.stderr)
        raise SystemExit(code) from None
    except SignalException as error:
        raise SystemExit(128 + error.sigval) from None


def code_of_failures(failures: Mapping[int, Any]) -> int:
    """Return the exit code of the process that failed first.

    One that was terminated meanwhile failed because of another.

    Args:
        failures: by rank; each has ``exitcode``, as of `subprocess`, and ``timestamp`` in seconds.

    Example:
        >>> from types import SimpleNamespace as Failure
        >>> code_of_failures({0: Failure(exitcode=143, timestamp=5),
        ...                   1: Failure(exitcode=70, timestamp=5)})
        70
    """
    def order(failure: Any) -> tuple[bool, int]:
        return exit_code_of(failure.exitcode) == ExitCode.TERMINATED, failure.timestamp

    return exit_code_of(min(failures.values(), key=order).exitcode)


if __name__ == '__main__':
    main()
