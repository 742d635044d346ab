"""Config files, with errors that name the file."""

import os
import re
from difflib import get_close_matches
from pathlib import Path

from mmengine.config import Config
from mmengine.config.utils import ConfigParsingError

from .compat import config_folders
from .config_inheritance import check_inheritance
from .errors import BadValue, MissingFile, UserError, first_line
from .fileio import why_no_file

__all__ = ['find_config', 'read_config']

#: Keys whose value is a dict of settings.
_SETTINGS = ('model', 'train_dataloader', 'val_dataloader', 'test_dataloader')
#: Errors of kinds that a config of a user may raise itself, if MMEngine raises them.
_OF_MMENGINE = re.compile('in config file|among bases')
_KINDS = ('.py', '.json', '.yaml', '.yml')


def find_config(name: str | os.PathLike) -> Path:
    """Find a config by its path, or one of this package by its bare name.

    Args:
        name: ``my/config.py``, or ``vit_bert_base_drawn``.

    Raises:
        MissingFile: There is none; the nearest name is given.

    Example:
        >>> find_config('vit_bert_base_drawn').name
        'vit_bert_base_drawn.py'
        >>> find_config('vit_bert_bas_drawn.py')
        Traceback (most recent call last):
        mmtbps.errors.MissingFile: vit_bert_bas_drawn.py: no such config; did you mean \
vit_bert_base_drawn?
    """
    path = Path(name)
    reason = why_no_file(path, '')
    if reason is None:
        return path
    own = {found.stem: found for folder in reversed(config_folders())
           for found in sorted(folder.glob('[!_]*/*.py'))}
    if path.parent == Path() and path.suffix in ('', '.py') and path.stem in own:
        return own[path.stem]
    beside = [str(found) for found in sorted(path.parent.glob('*')) if found.suffix in _KINDS
              ] if path.parent.is_dir() else []
    near = get_close_matches(str(path), beside, 1) or get_close_matches(path.stem, own, 1)
    hint = f'; did you mean {near[0]}?' if near else ''
    raise MissingFile(f'{path}: no such config{f" ({reason})" if reason else ""}{hint}')


def read_config(path: str | os.PathLike, *needs: str) -> Config:
    """Read a config with all that it inherits.

    Args:
        path: The file, of a kind that MMEngine knows; or the bare name of a config of this
            package.
        needs: Keys that the config must have.

    Raises:
        MissingFile: There is no such file.
        BadValue: It is no config, or lacks one of the keys.
        SyntaxError: It is broken Python.
    """
    path = find_config(path)
    if path.suffix not in _KINDS:
        raise BadValue(f'{path}: a config is a file in {", ".join(_KINDS)}')
    try:
        check_inheritance(path)
        config = Config.fromfile(path)
        missing = [key for key in needs if config.get(key) is None]
        odd = [key for key in needs if key in _SETTINGS and not isinstance(config.get(key), dict)]
    except UserError:
        raise
    except UnicodeDecodeError as error:
        raise BadValue(f'{path}: it, or a config it inherits, is not UTF-8 text ({error})'
                       ) from error
    except RecursionError as error:
        raise BadValue(f'{path}: it inherits itself, or is nested too deeply') from error
    except (ImportError, NameError) as error:
        raise BadValue(f'{path}: {first_line(error)}') from error
    except (ConfigParsingError, AssertionError, KeyError) as error:
        if not isinstance(error, ConfigParsingError) and not _OF_MMENGINE.search(str(error)):
            raise
        raise BadValue(f'{path}: {first_line(error)}') from error
    if missing:
        raise BadValue(f'{path}: this config has no key {missing[0]!r}, which the command needs')
    if odd:
        raise BadValue(f'{path}: {odd[0]} must be a dict of settings, got '
                       f'{type(config[odd[0]]).__name__}')
    return config
