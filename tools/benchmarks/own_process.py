"""Command lines of modules of this folder, as processes of their own."""

import os
import sys
from pathlib import Path

import mmtbps

__all__ = ['as_process']


def as_process(module: str, *words: object) -> dict:
    """Return the arguments of ``subprocess.Popen`` for a module beside this one.

    Args:
        module: Its name. As a file it would find others of this folder in place of Python's own.
        *words: Its arguments.
    """
    path = [str(Path(mmtbps.__file__).absolute().parents[1]), str(Path(__file__).parents[1]),
            *filter(None, [os.environ.get('PYTHONPATH')])]
    return dict(args=[sys.executable, '-m', f'benchmarks.{module}', *map(str, words)],
                env={**os.environ, 'PYTHONPATH': os.pathsep.join(path)})
