"""Print the completion of ``mmtbps`` for a shell: commands, options, their choices, and files.

Examples:
    mmtbps completion bash > ~/.local/share/bash-completion/completions/mmtbps
    mmtbps completion zsh > ~/.zfunc/_mmtbps
    mmtbps completion fish > ~/.config/fish/completions/mmtbps.fish

A new shell has it; for zsh the folder must be in fpath before compinit. It is printed anew after an
update. Nothing of mmtbps runs when a key is pressed.
"""

import argparse
from types import ModuleType

from mmtbps.errors import MissingPackage

from .main import load_command
from .wording.command_names import COMMANDS, CommandParser

__all__ = ['add_arguments', 'build_whole_parser', 'run']


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the name of the shell."""
    parser.add_argument('shell', choices=('bash', 'zsh', 'fish'))


def run(args: argparse.Namespace) -> None:
    """Print the completion.

    Raises:
        MissingPackage: shtab, which writes it, is not installed.
    """
    try:
        import shtab
    except ImportError as error:
        raise MissingPackage('completion needs the package shtab: pip install "mmtbps[completion]"'
                             ) from error
    parser = build_whole_parser()
    complete_files(parser, shtab)
    print(shtab.complete(parser, args.shell))


def build_whole_parser() -> CommandParser:
    """Build one parser of all commands, for which the module of each is imported."""
    parser = CommandParser(prog='mmtbps')
    parser.add_argument('--version', action='store_true', help='print the version')
    commands = parser.add_subparsers()
    for name, command in COMMANDS.items():
        load_command(name).add_arguments(commands.add_parser(name, help=command.help))
    return parser


def complete_files(parser: argparse.ArgumentParser, shtab: ModuleType) -> None:
    """Let words that are no numbers and of no choice be completed as files are.

    Args:
        parser: with all below it changed in place.
        shtab: the library.
    """
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                complete_files(inner, shtab)
        elif action.choices:
            action.choices = list(action.choices)  # shtab takes a dict for that of subparsers
        elif action.nargs != 0 and action.type not in (int, float):
            action.complete = shtab.FILE
