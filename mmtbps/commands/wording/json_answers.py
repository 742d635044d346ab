"""The option ``--json`` of commands whose answer a script reads: one document, and nothing else."""

import argparse
import contextlib
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, TextIO

from .printing import as_json

__all__ = ['add_json', 'answer', 'json_alone']

_answers: ContextVar[TextIO | None] = ContextVar('answers', default=None)


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the option."""
    parser.add_argument('--json', action='store_true', help='print the answer as JSON; whatever '
                        'else is said goes to standard error')


@contextlib.contextmanager
def json_alone(wanted: bool = True) -> Iterator[None]:
    """Keep standard output for the document of `answer`; what is printed goes to standard error.

    MMEngine's logger prints there too, which begins inside.

    Args:
        wanted: whether ``--json`` was given; without it nothing changes, and `answer` is silent.
    """
    if not wanted:
        yield
        return
    token = _answers.set(sys.stdout)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        _answers.reset(token)


def answer(value: Any) -> None:
    """Print the answer of a command as JSON, if it was asked for with ``--json``.

    Args:
        value: Of JSON types; the one document of this command.

    Example:
        >>> with json_alone():
        ...     print('12 images indexed', file=sys.stderr)
        ...     answer(dict(indexed=12))
        {
          "indexed": 12
        }
        >>> answer(dict(indexed=12))  # not asked for
    """
    if (output := _answers.get()) is not None:
        print(as_json(value, output.encoding), file=output, flush=True)
