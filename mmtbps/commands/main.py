"""The command line ``mmtbps COMMAND``, and the same command opened by a file of ``tools/``."""

import argparse
import importlib
import sys
from collections.abc import Iterable, Sequence
from pathlib import PurePath
from types import ModuleType

from mmtbps.version import __version__

from .process.exit_codes import list_exit_codes
from .wording.command_names import COMMANDS, CommandParser
from .wording.json_answers import json_alone
from .wording.user_errors import one_line_errors

__all__ = ['build_parser', 'load_command', 'main', 'parse_name', 'read_words',
           'run_command', 'run_tool']

_DESCRIPTION = """Text-based person search.

Examples:
    mmtbps index people.lance crops --model hf:google/siglip2-base-patch16-naflex
    mmtbps query people.lance "a woman in a red coat with a black backpack"
    mmtbps serve people.lance
"""


def main(argv: Sequence[str] | None = None) -> int | None:
    """Run a command.

    Args:
        argv: the command and its own words; by default those of the process.

    Returns:
        The exit code, ``None`` for 0.

    Raises:
        SystemExit: of the command; or it is unknown, or help or version was asked for.
    """
    with one_line_errors():  # the commands have their own, for which much is imported
        words = list(sys.argv[1:] if argv is None else argv)
        return run_command(parse_name(words[:1]), words[1:])


def run_tool(tool: str, argv: Sequence[str] | None = None) -> int | None:
    """Run the command that a file of ``tools/`` opens, or the one of several that is named first.

    Args:
        tool: path of the file below ``tools/``, without its suffix.
        argv: the words behind it; by default those of the process.

    Returns:
        The exit code, ``None`` for 0.

    Raises:
        SystemExit: as of `main`.
    """
    with one_line_errors():
        words = list(sys.argv[1:] if argv is None else argv)
        file = f'{PurePath(tool).name}.py'
        names = [name for name, command in COMMANDS.items() if command.tool == tool]
        if COMMANDS[names[0]].verb is None:
            return run_command(names[0], words, file)
        name = parse_name(words[:1], file, names)
        return run_command(name, words[1:], f'{file} {name}')


def run_command(name: str, words: Sequence[str] = (), prog: str | None = None) -> int | None:
    """Import the module of a command, read the command line and run it.

    Args:
        name: of the command.
        words: behind it.
        prog: the command as the user typed it; by default ``mmtbps NAME``.

    Returns:
        The exit code, ``None`` for 0.

    Raises:
        SystemExit: as of `main`.
    """
    module = load_command(name)
    with one_line_errors(getattr(module, 'INTERRUPTED', 'interrupted')):
        args = read_words(name, words, prog)
        with json_alone(getattr(args, 'json', False)):
            return module.run(args)


def read_words(name: str, words: Sequence[str] = (),
               prog: str | None = None) -> argparse.Namespace:
    """Read the command line of a command; arguments as of `run_command`."""
    parse = getattr(load_command(name), 'parse', CommandParser.parse_args)
    return parse(build_parser(name, words, prog), words)


def load_command(name: str) -> ModuleType:
    """Import the module of a command, and of no other.

    Example:
        >>> load_command('models').__name__
        'mmtbps.commands.models'
    """
    return importlib.import_module(f'{__package__}.{name.replace("-", "_")}')


def build_parser(name: str, words: Sequence[str] = (), prog: str | None = None) -> CommandParser:
    """Build the parser of a command, whose help is the docstring of its module.

    Args:
        name: of the command.
        words: that the parser is going to read.
        prog: as in `run_command`.
    """
    module = load_command(name)
    parser = CommandParser(prog=prog or f'mmtbps {name}', description=module.__doc__, words=words)
    module.add_arguments(parser)
    return parser


def parse_name(argv: Sequence[str], prog: str = 'mmtbps',
               names: Iterable[str] = tuple(COMMANDS)) -> str:
    """Read the name of a command; its own words are left to it.

    Args:
        argv: at most one word.
        prog: stands before the name.
        names: to choose from.

    Raises:
        SystemExit: no command is named; or help or version was asked for.
    """
    names = list(names)
    parser = CommandParser(
        prog=prog, usage=f'{prog} COMMAND ...', description=_DESCRIPTION,
        epilog='commands, of which each has --help:\n' + '\n'.join(
            f'  {name:<18}{COMMANDS[name].help}' for name in names)
        + f'\n\nexit codes:\n{list_exit_codes()}')
    parser.add_argument('--version', action='version', version=f'mmtbps {__version__}')
    parser.add_argument('command', choices=names, metavar='COMMAND', help='see below')
    return parser.parse_args(argv).command
