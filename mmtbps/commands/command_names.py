"""Commands of ``mmtbps``, the tools they run, and texts that name the one the user typed."""

import argparse
import re
import sys
from pathlib import Path
from typing import NamedTuple, NoReturn

from mmtbps.errors import printable

__all__ = ['COMMANDS', 'Command', 'CommandParser', 'as_typed']


class Command(NamedTuple):
    """A command of ``mmtbps``.

    Args:
        tool: file of ``tools/``, without its suffix.
        help: one line.
        verb: first word of the tool's own command line, if it is a command of its own here.
    """

    tool: str
    help: str
    verb: str | None = None


#: By the word behind ``mmtbps``.
COMMANDS = {
    'index': Command('search', 'bring a gallery up to date with a folder of images', 'index'),
    'query': Command('search', 'find the people that a sentence describes', 'query'),
    'serve': Command('search', 'open the web page of a gallery', 'serve'),
    'info': Command('search', 'what a gallery holds and where it came from', 'info'),
    'delete': Command('search', 'remove entries of a gallery', 'delete'),
    'compact': Command('search', 'fold changes into the files of a gallery', 'compact'),
    'models': Command('models', 'list pretrained models worth trying'),
    'convert': Command('convert_weights', 'convert published checkpoints into ours'),
    'convert-data': Command('convert_data', 'convert data sets to and from parquet and shards'),
    'export': Command('export', 'write a model for ONNX Runtime or transformers'),
    'extract-features': Command('extract_features', 'encode images into files'),
    'visualize': Command('visualize', 'see what a model found, and why'),
    'train': Command('train', 'train a model from a config'),
    'test': Command('test', 'evaluate a model on the test set of a config'),
    'check-data': Command('check_data', 'check data sets before training'),
    'draw': Command('draw_dataset', 'draw a data set of pedestrians'),
    'pack': Command('pack_images', 'pack images into few files'),
    'generate': Command('generate', 'generate training pairs'),
    'print-config': Command('print_config', 'print a config with all it inherits'),
    'benchmark': Command('benchmark', 'measure speed'),
    'browse-dataset': Command('analysis/browse_dataset', 'draw items as the model sees them'),
    'vis-scheduler': Command('analysis/vis_scheduler', 'draw the learning rate of a training'),
    'analyze-logs': Command('analysis/analyze_logs', 'draw curves of what runs have logged'),
    'get-flops': Command('analysis/get_flops', 'count parameters and operations of a model'),
    'publish-model': Command('publish_model', 'write weights to hand on, the hash in the name'),
}
_TOOL = re.compile(r'(?:python )?tools/(?P<tool>\w+)\.py\b(?: (?P<verb>[a-z]+)\b)?')


class CommandParser(argparse.ArgumentParser):
    """A parser whose help names the commands as the user types them."""

    def format_help(self) -> str:
        return as_typed(super().format_help())

    def error(self, message: str) -> NoReturn:
        """End with the usage and one line, in which no word of a stranger acts on the terminal."""
        super().error(printable(message))


def as_typed(text: str) -> str:
    """Word the tools that a text names as commands of ``mmtbps``, if the user typed that.

    Args:
        text: names them as ``tools/NAME.py``, with or without ``python`` before it.

    Example:
        >>> as_typed('python tools/search.py index people.lance crops')  # python was typed
        'python tools/search.py index people.lance crops'
    """
    typed = Path(sys.argv[0]).name.split(' ')[0]
    return _TOOL.sub(_word_command, text) if typed == 'mmtbps' else text


def _word_command(match: re.Match) -> str:
    verb = match['verb']
    for name, command in COMMANDS.items():
        if command.tool == match['tool'] and command.verb in (None, verb):
            return ' '.join(['mmtbps', name, *([verb] if verb and not command.verb else [])])
    return match[0]
