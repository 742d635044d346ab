"""Opening of the module of a command by a file of ``tools/``."""

import argparse
from collections.abc import Sequence
from types import ModuleType

from .command_names import CommandParser
from .user_errors import one_line_errors

__all__ = ['open_command']


def open_command(module: ModuleType, argv: Sequence[str] | None = None) -> int | None:
    """Read a command line and run the command.

    Args:
        module: of the command, with ``add_arguments(parser)``, ``run(args)`` and a docstring that
            is its help.
        argv: words of the command line; by default those of the process.

    Returns:
        The exit code, ``None`` for 0.
    """
    parser = CommandParser(description=module.__doc__,
                           formatter_class=argparse.RawDescriptionHelpFormatter)
    module.add_arguments(parser)
    args = parser.parse_args(argv)
    with one_line_errors():
        return module.run(args)
