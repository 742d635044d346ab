"""Checks of a config, and of those that it inherits, before MMEngine reads them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.config import Config

from .errors import BadValue, MissingFile
from .fileio import decode_json, why_no_file

__all__ = ['check_inheritance']

#: Values that a YAML file may stand for; few lines of it can stand for billions.
_MOST_VALUES = 100_000


def check_inheritance(path: Path, heirs: tuple[Path, ...] = ()) -> None:
    """Check that text configs inherit files, not themselves, and that data are data.

    MMEngine reads YAML with a loader that runs whatever code it names.

    Args:
        path: of the config.
        heirs: that inherit it.

    Raises:
        BadValue: one inherits itself, or a JSON or YAML file is not one dict of plain values.
        MissingFile: one that is inherited is not there.
    """
    path = path.resolve()
    if path in heirs:
        circle = ' inherits '.join(heir.name for heir in (*heirs[heirs.index(path):], path))
        raise BadValue(f'{heirs[0]}: {circle}')
    if path.suffix != '.py':
        _check_data(path)
    for base in _bases(path):
        if reason := why_no_file(base):
            raise MissingFile(f'{path}: it inherits {base}: {reason}')
        check_inheritance(base, (*heirs, path))


def _bases(path: Path) -> Iterator[Path]:
    """Yield the files that a text config inherits, as far as its text alone says them."""
    try:
        bases = Config._get_base_files(str(path))
    except Exception:  # whatever it is, reading the config says it better
        return
    for base in bases if isinstance(bases, list) else [bases]:
        if not isinstance(base, str):
            raise BadValue(f'{path}: _base_ must name files, got {base!r}')
        if '{{' in base or '::' in base:  # filled in, or of a package
            continue
        yield Path(path.parent, base)


def _check_data(path: Path) -> None:
    """Refuse a JSON or YAML file that is not one dict of plain values."""
    text = path.read_text(encoding='utf-8')
    try:
        values = decode_json(text) if path.suffix == '.json' else _decode_yaml(text)
    except RecursionError:
        raise BadValue(f'{path}: nested too deeply to be read') from None
    except ValueError as error:
        line = getattr(error, 'lineno', None)
        raise BadValue(f'{path}{f":{line}" if line else ""}: broken '
                       f'{"JSON" if path.suffix == ".json" else "YAML"} '
                       f'({" ".join(str(error).split())})') from error
    if not isinstance(values, dict):
        raise BadValue(f'{path}: a config is a dict of settings, got {type(values).__name__}')
    if _count(values, {}) > _MOST_VALUES:
        raise BadValue(f'{path}: it stands for more than {_MOST_VALUES:,} values')


def _decode_yaml(text: str) -> Any:
    import yaml
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def _count(node: Any, known: dict[int, int]) -> int:
    """Count the values of nested settings, those that stand at several places each time."""
    if not isinstance(node, (dict, list)):
        return 1
    if id(node) not in known:
        known[id(node)] = _MOST_VALUES + 1  # of one that holds itself
        inner = node.values() if isinstance(node, dict) else node
        known[id(node)] = 1 + sum(_count(one, known) for one in inner)
    return known[id(node)]
