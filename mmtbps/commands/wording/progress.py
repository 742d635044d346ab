"""A bar over the parts of a long task."""

import sys
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.progress import track

__all__ = ['progress']


def progress(items: Sequence, words: str) -> Iterator:
    """Show a bar on standard error, if that is a terminal.

    Args:
        items: Parts.
        words: On what is done.

    Example:
        >>> list(progress([1, 2], 'counting'))
        [1, 2]
    """
    return track(items, words, console=Console(stderr=True), disable=not sys.stderr.isatty())
