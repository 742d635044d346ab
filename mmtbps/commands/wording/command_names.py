"""Commands of ``mmtbps``, the tools that open them, and texts that name the one the user typed."""

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from mmtbps.errors import printable

__all__ = ['COMMANDS', 'Command', 'CommandParser', 'add_verb', 'as_typed']


class Command(NamedTuple):
    """A command of ``mmtbps``.

    Its code is the module of its name in this folder, with ``add_arguments(parser)``, ``run(args)``
    and a docstring that is its help. ``INTERRUPTED`` may be the line after Ctrl-C, and
    ``parse(parser, words)`` may read a command line in another way than the parser itself.

    Args:
        tool: file below ``tools/`` that opens it, without its suffix; ``None`` without one.
        help: one line.
        verb: its word behind the name of the tool, if that opens several.
    """

    tool: str | None
    help: str
    verb: str | None = None

    def word_tool(self) -> str:
        """Word the tool that opens it, and its word.

        Example:
            >>> COMMANDS['index'].word_tool()
            'tools/search.py index'
        """
        return ' '.join(filter(None, [f'tools/{self.tool}.py', self.verb]))


#: By the word behind ``mmtbps``.
COMMANDS = {
    'index': Command('search', 'bring a gallery up to date with a folder of images', 'index'),
    'query': Command('search', 'find the people that a sentence describes', 'query'),
    'serve': Command('search', 'open the web page of a gallery', 'serve'),
    'info': Command('search', 'what a gallery holds and where it came from', 'info'),
    'delete': Command('search', 'remove entries of a gallery', 'delete'),
    'compact': Command('search', 'fold changes into the files of a gallery', 'compact'),
    'watch': Command('search', 'raise an alarm when somebody fits a saved sentence', 'watch'),
    'models': Command('models', 'list pretrained models worth trying'),
    'convert': Command('convert_weights', 'convert published checkpoints into ours'),
    'convert-data': Command('convert_data', 'convert data sets to and from parquet and shards'),
    'export': Command('export', 'write a model for ONNX Runtime or transformers'),
    'extract-features': Command('extract_features', 'encode images into files'),
    'visualize': Command('visualize', 'see what a model found, and why'),
    'train': Command('train', 'train a model from a config'),
    'test': Command('test', 'evaluate a model on the test set of a config'),
    'calibrate': Command('calibrate', 'calibrate the probability that somebody is there'),
    'check-data': Command('check_data', 'check data sets before training'),
    'draw': Command('draw_dataset', 'draw a data set of pedestrians'),
    'draw-balanced': Command('draw_balanced', 'draw people in every colour, for the toy model'),
    'pack': Command('pack_images', 'pack images into few files'),
    'generate': Command('generate', 'generate training pairs'),
    'print-config': Command('print_config', 'print a config with all it inherits'),
    'ablation': Command('ablation', 'train the arms of an ablation and write their table'),
    'multi-seed': Command('multi_seed', 'train configs with several seeds, with paired tests'),
    'robustness': Command('robustness', 'measure models on other data and changed inputs'),
    'binding': Command(None, 'measure whether a model knows which color is on what'),
    'short-sentences': Command(None, 'measure what a model finds by one to three words'),
    'demo': Command('demo', 'run the whole path on drawn people'),
    'benchmark': Command('benchmark', 'measure speed'),
    'completion': Command(None, 'print the completion for a shell'),
    'browse-dataset': Command('analysis/browse_dataset', 'draw items as the model sees them'),
    'vis-scheduler': Command('analysis/vis_scheduler', 'draw the learning rate of a training'),
    'analyze-logs': Command('analysis/analyze_logs', 'draw curves of what runs have logged'),
    'get-flops': Command('analysis/get_flops', 'count parameters and operations of a model'),
    'publish-model': Command('publish_model', 'write weights to hand on, the hash in the name'),
}
_COMMAND = re.compile(
    rf"(?P<opens>^ *|: |')?(?P<module>-m )?\bmmtbps\s+"
    rf"(?P<name>{'|'.join(name for name, command in COMMANDS.items() if command.tool)})\b(?![-\w])",
    re.MULTILINE)


# Words of argparse, in all of its versions.
_UNKNOWN_CHOICE = re.compile(r"invalid choice: '?([^' ]*)'? \(choose from (.*)\)")
_UNKNOWN_OPTIONS = re.compile(r'unrecognized arguments: (.*)')


class CommandParser(argparse.ArgumentParser):
    """A parser whose help names the commands as the user types them.

    Args:
        words: the command line that it is going to read: some arguments depend on others.
    """

    def __init__(self, *args: Any, words: Sequence[str] = (), **settings: Any) -> None:
        super().__init__(*args, **{
            'formatter_class': argparse.RawDescriptionHelpFormatter, **settings})
        self.words = list(words)

    def format_help(self) -> str:
        return as_typed(super().format_help())

    def error(self, message: str) -> NoReturn:
        """End with the usage and one line, in which no word of a stranger acts on the terminal."""
        super().error(printable(message + self._hint(message)))

    def _hint(self, message: str) -> str:
        """Word the names that may have been meant in place of those that are unknown."""
        if choice := _UNKNOWN_CHOICE.search(message):
            unknown, known = [choice[1]], re.findall(r'[\w-]+', choice[2])
        elif strange := _UNKNOWN_OPTIONS.search(message):
            unknown = [word.partition('=')[0] for word in strange[1].split()
                       if word.startswith('--')]
            known = [*_options_of(self)]
        else:
            return ''
        meant = [similar for name in unknown for similar in get_close_matches(name, known, 1)]
        return f'; did you mean {", ".join(dict.fromkeys(meant))}?' if meant else ''


def _options_of(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield the options of a parser and of its verbs."""
    yield from parser._option_string_actions
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from _options_of(inner)


def add_verb(verbs: Any, name: str, text: str, examples: str) -> CommandParser:
    """Add a verb to a command that has several.

    Args:
        verbs: of ``add_subparsers`` of the command's parser.
        name: of the verb.
        text: one line.
        examples: help of the command, of which the lines with the verb are the verb's help.
    """
    shown = [f'    {line.strip()}' for line in examples.splitlines()
             if re.search(rf'\bmmtbps \S+ {name} ', line)]
    return verbs.add_parser(name, help=text, description=text,
                            epilog='\n'.join(['examples:', *shown]))


def as_typed(text: str) -> str:
    """Word the commands that a text names as the tools that open them, if the user typed one.

    Args:
        text: names them as ``mmtbps COMMAND``. Where that begins a line or follows a colon or a
            quotation mark, it is a command line, and otherwise a name in a sentence.

    Example:
        >>> as_typed('mmtbps index people.lance crops')  # no tool was typed
        'mmtbps index people.lance crops'
    """
    typed = Path(sys.argv[0])
    tools = {Path(command.tool).name for command in COMMANDS.values() if command.tool}
    return _COMMAND.sub(_word_tool, text) if typed.suffix == '.py' and typed.stem in tools else text


def _word_tool(match: re.Match) -> str:
    opens = match['opens'] or ''
    python = 'python ' if match['opens'] is not None and not match['module'] else ''
    return f'{opens}{python}{COMMANDS[match["name"]].word_tool()}'
