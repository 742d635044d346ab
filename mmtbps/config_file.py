"""Config files, with errors that name the file."""

import json
import os
from pathlib import Path

from mmengine.config import Config

from .errors import BadValue, MissingFile

__all__ = ['read_config']

_KINDS = ('.py', '.json', '.yaml', '.yml')


def read_config(path: str | os.PathLike, *needs: str) -> Config:
    """Read a config with all that it inherits.

    Args:
        path: The file, of a kind that MMEngine knows.
        needs: Keys that the config must have.

    Raises:
        MissingFile: There is no such file.
        BadValue: It is no config, or lacks one of the keys.
        SyntaxError: It is broken Python.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFile(f'{path}: no such config')
    if path.suffix not in _KINDS:
        raise BadValue(f'{path}: a config is a file in {", ".join(_KINDS)}')
    try:
        config = Config.fromfile(path)
    except UnicodeDecodeError as error:
        raise BadValue(f'{path}: it, or a config it inherits, is not UTF-8 text ({error})'
                       ) from error
    except json.JSONDecodeError as error:
        raise BadValue(f'{path}:{error.lineno}: broken JSON ({error})') from error
    if missing := [key for key in needs if config.get(key) is None]:
        raise BadValue(f'{path}: this config has no key {missing[0]!r}, which the command needs')
    return config
