"""Bounds of gates in a file, with their source."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mmtbps.errors import BadValue, MissingFile
from mmtbps.fileio import decode_json, write_durably
from mmtbps.records import Entry, RecordError

from .base import BaseGate, is_number

__all__ = ['apply_bounds', 'write_bounds']

SCHEMA = 'mmtbps.pdg.bounds/1'
_SIDES = ('low', 'high')


def write_bounds(path: str | os.PathLike, bounds: Mapping[str, Mapping[str, float]], source: str,
                 report: Iterable[Mapping[str, Any]] = ()) -> None:
    """Write bounds, whole or not at all.

    Args:
        path: JSON file.
        bounds: Name of a gate -> ``low``, ``high`` or both.
        source: Of the bounds, in one line; gates repeat it in the manifest of a run.
        report: Rows about them, for people to read.
    """
    content = dict(schema=SCHEMA, source=source,
                   bounds={name: dict(sides) for name, sides in bounds.items()},
                   report=[dict(row) for row in report])
    write_durably(path, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + '\n')


def apply_bounds(gates: Iterable[BaseGate], path: str | os.PathLike) -> None:
    """Give gates the bounds of a file, and note its source in them.

    Args:
        gates: Those that the file does not name keep theirs.
        path: File of `write_bounds`.

    Raises:
        MissingFile: If there is none.
        RecordError: If it cannot be read.
        BadValue: If it has bounds of a gate that is not among these, or lets nothing pass.
    """
    source, bounds = _read(path)
    named = {getattr(gate, 'name', None): gate for gate in gates}
    if unknown := sorted(bounds.keys() - named.keys()):
        raise BadValue(f'{path}: it bounds {", ".join(unknown)}, but no such gate is used; add it '
                       'to the gates, or take the bounds away')
    for name, sides in bounds.items():
        for side, value in sides.items():
            setattr(named[name], side, value)
        try:
            named[name].check_bounds()
        except BadValue as error:
            raise BadValue(f'{path}: {error}') from error
        named[name].bounds_source = source


def _read(path: str | os.PathLike) -> tuple[str, dict[str, dict[str, float]]]:
    if not os.path.isfile(path):
        raise MissingFile(f'{path} not found: it should hold the bounds of gates')
    try:
        entry = Entry(decode_json(Path(path).read_text(encoding='utf-8')), str(path))
    except (ValueError, RecursionError) as error:
        if isinstance(error, RecordError):
            raise
        raise RecordError(f'{path}: broken JSON ({error})') from error
    if (schema := entry.take('schema', str)) != SCHEMA:
        raise RecordError(f'{path}: schema {schema!r}, but this version reads {SCHEMA!r}')
    bounds = entry.take('bounds', dict)
    for name, sides in bounds.items():
        for side, value in Entry(sides, f'{path}, gate {name!r}').raw.items():
            if side not in _SIDES or not is_number(value):
                raise RecordError(f'{path}, gate {name!r}: expected numbers low and high, got '
                                  f'{side!r}: {value!r}')
    return entry.take('source', str), bounds
