"""The command line ``mmtbps COMMAND``, which runs the tools from any folder."""

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

from mmtbps.version import __version__

from .command_names import COMMANDS
from .exit_codes import list_exit_codes
from .user_errors import one_line_errors

__all__ = ['main']

_PACKAGE = Path(__file__).absolute().parent.parent


def main(argv: Sequence[str] | None = None) -> None:
    """Run a tool as ``python tools/NAME.py`` does, under the name of its command.

    Args:
        argv: the command and its own words; by default those of the process.

    Raises:
        SystemExit: of the tool; or the command is unknown, or help or version was asked for.
    """
    with one_line_errors():  # the tools have their own, for which much is imported
        _run(list(sys.argv[1:] if argv is None else argv))


def _run(words: list[str]) -> None:
    name = parse_args(words[:1]).command
    command, folder = COMMANDS[name], find_tools()
    started = ['mmtbps', name] if command.verb else [f'mmtbps {name}']  # as usage lines name it
    sys.argv, sys.path[0] = started + words[1:], str(folder)
    spec = importlib.util.spec_from_file_location('__main__', folder / f'{command.tool}.py')
    tool = sys.modules['__main__'] = importlib.util.module_from_spec(spec)
    tool.__spec__ = None  # as of a script, which new processes open by its path
    spec.loader.exec_module(tool)


def parse_args(argv: Sequence[str]) -> argparse.Namespace:
    """Read the name of a command; its own words are read by the tool."""
    parser = argparse.ArgumentParser(
        prog='mmtbps', usage='mmtbps COMMAND ...', description='Text-based person search.',
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog='commands, of which each has --help:\n' + '\n'.join(
            f'  {name:<18}{command.help}' for name, command in COMMANDS.items())
        + f'\n\nexit codes:\n{list_exit_codes()}')
    parser.add_argument('--version', action='version', version=f'mmtbps {__version__}')
    parser.add_argument('command', choices=COMMANDS, metavar='COMMAND', help='see below')
    return parser.parse_args(argv)


def find_tools() -> Path:
    """Return the folder of the tools, as installed or in a source tree.

    Example:
        >>> (find_tools() / 'search.py').is_file()
        True
    """
    installed = _PACKAGE / '.mim/tools'
    return installed if installed.is_dir() else _PACKAGE.parent / 'tools'
