"""Notices of models whose licence restricts their use, as a command line prints them."""

import os
import sys
from functools import cache

from mmtbps.catalog import model_notice

__all__ = ['print_model_notice', 'print_notice']


def print_model_notice(name: str) -> None:
    """Print the notice of a dual encoder, if there is one, when a command first uses it.

    Args:
        name: ``SCHEME:NAME[@REVISION]``.
    """
    print_notice(model_notice(name))


@cache
def print_notice(notice: str | None) -> None:
    """Print a notice, if there is one, once a command.

    Example:
        >>> print_notice(None)
    """
    # Of several processes on one test set the first speaks; mmengine knows them only later.
    first = (os.environ.get('RANK') or os.environ.get('SLURM_PROCID') or '0') == '0'
    if notice and first:
        print(f'licence: {notice}', file=sys.stderr)
