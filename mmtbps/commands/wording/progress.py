"""A bar over the parts of a long task."""

import sys
from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.progress import track

__all__ = ['progress']


def progress(items: Iterable, words: str, total: int | None = None) -> Iterator:
    """Show a bar on standard error, if that is a terminal.

    Args:
        items: Parts.
        words: On what is done.
        total: Number of parts, where ``items`` does not know it.

    Example:
        >>> list(progress([1, 2], 'counting'))
        [1, 2]
    """
    return track(items, words, total, console=Console(stderr=True), disable=not sys.stderr.isatty())
