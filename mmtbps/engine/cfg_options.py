"""Command line option that changes settings of a config."""

import argparse
from collections.abc import Sequence
from typing import Any

from mmengine.config import DictAction

__all__ = ['CfgOptions']


class CfgOptions(DictAction):
    """Action of argparse for settings written ``KEY=VALUE``.

    MMEngine's takes all spaces out of a value, so that a path with spaces names another folder,
    and ends in a traceback where there is no ``=``. In a list (``KEY=a,b`` or ``KEY=[a,b]``) spaces
    still go.

    Example:
        >>> parser = argparse.ArgumentParser()
        >>> _ = parser.add_argument('--cfg-options', nargs='+', action=CfgOptions)
        >>> words = ['--cfg-options', 'work_dir=my runs/a', 'epochs=3', 'k=1,5']
        >>> parser.parse_args(words).cfg_options
        {'work_dir': 'my runs/a', 'epochs': 3, 'k': [1, 5]}
    """

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace,
                 values: Sequence[str], option_string: str | None = None) -> None:
        for word in values:
            if '=' not in word:
                raise argparse.ArgumentError(self, f'{word!r} is not of the form KEY=VALUE')
        super().__call__(parser, namespace, values, option_string)

    @staticmethod
    def _parse_iterable(val: str) -> Any:
        text = val.strip().strip('\'"')
        if ',' in text or text[:1] + text[-1:] in ('()', '[]'):
            return DictAction._parse_iterable(text)
        return DictAction._parse_int_float_bool(text)
