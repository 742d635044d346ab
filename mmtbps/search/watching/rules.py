"""Rules of a watch: saved sentences, each with the bound from which it raises an alarm."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmtbps.errors import BadValue, MissingFile, MissingPackage
from mmtbps.quantities import is_finite

from ..encoders.base import check_texts
from ..galleries.filters import parse_where

__all__ = ['BOUNDS', 'MOST_BYTES', 'Rule', 'parse_rules', 'read_rules']

#: Keys of which a rule has one, with the least and the highest value.
BOUNDS = dict(max_false_alarm_rate=(0, 1), min_probability=(0, 1), min_score=(-1, 1))
_KEYS = ('name', 'sentence', 'where', 'cool_down', *BOUNDS)
_EXAMPLE = '- {name: red coat, sentence: a woman in a red coat, max_false_alarm_rate: 0.001}'
#: A longer file is none of rules.
MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Rule:
    """A saved sentence.

    Args:
        name: By which alarms name it; one of its own in the file.
        sentence: A description; what it denies ("no hat") excludes.
        bound: Key of `BOUNDS`.
        value: From which on the rule raises an alarm.
        where: Filter of the people it looks at, see `mmtbps.search.galleries.filters`.
        cool_down: Seconds after an alarm in which the rule raises no other.

    Example:
        >>> Rule('red', 'a red coat', 'min_score', .3).needs_calibration
        False
    """

    name: str
    sentence: str
    bound: str
    value: float
    where: Mapping[str, Any] = field(default_factory=dict)
    cool_down: float = 0.

    @property
    def needs_calibration(self) -> bool:
        """True if its bound means nothing without a calibration."""
        return self.bound != 'min_score'

    def describe_bound(self) -> str:
        """Word the bound as the file has it."""
        return f'{self.bound}: {self.value:g}'


def read_rules(path: str | os.PathLike) -> list[Rule]:
    """Read the rules of a YAML file.

    Args:
        path: Of a list of rules, each with the keys of `Rule`: ``name``, ``sentence``, one of
            `BOUNDS`, and maybe ``where`` (such as ``{camera: [c1, c2]}``) and ``cool_down``.

    Raises:
        MissingFile: There is no such file.
        BadValue: It is none; the message names file, rule and key.
        MissingPackage: PyYAML is missing.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MOST_BYTES:
            raise BadValue(f'{path}: more than {MOST_BYTES} bytes; these are no rules')
        text = path.read_bytes()
    except FileNotFoundError as error:
        raise MissingFile(f'{path}: no such file of rules') from error
    except IsADirectoryError as error:
        raise BadValue(f'{path}: a folder; name a file of rules') from error
    return parse_rules(text, path)


def parse_rules(text: bytes, path: str | os.PathLike) -> list[Rule]:
    """Read rules from the content of a file.

    Args:
        text: YAML in UTF-8.
        path: Of the file, for messages.

    Raises:
        BadValue: These are no rules; the message names file, rule and key.
        MissingPackage: PyYAML is missing.

    Example:
        >>> text = b'- {name: red, sentence: a red coat, min_score: 0.3}'
        >>> parse_rules(text, 'rules.yaml')[0].describe_bound()
        'min_score: 0.3'
    """
    try:
        import yaml
    except ImportError as error:
        raise MissingPackage('rules are YAML: pip install "mmtbps[watch]"') from error
    try:
        found = yaml.load(text.decode('utf-8-sig'), Loader=_strict_loader())
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        if isinstance(error, BadValue):
            raise
        raise BadValue(f'{path}: no YAML ({" ".join(str(error).split())[:200]})') from error
    if not isinstance(found, list) or not found:
        raise BadValue(f'{path}: a list of rules is needed, such as\n{_EXAMPLE}')
    rules = [_read_rule(values, f'{path}: rule {number}')
             for number, values in enumerate(found, start=1)]
    for number, rule in enumerate(rules):
        if rule.name in {other.name for other in rules[:number]}:
            raise BadValue(f'{path}: rule {number + 1}: name: {rule.name!r} is taken by another '
                           'rule; alarms tell rules apart by it')
    return rules


def _strict_loader() -> type:
    """Make a loader of plain data that refuses a key that stands twice."""
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    def mapping(loader: Any, node: Any) -> dict[Any, Any]:
        keys = [loader.construct_object(key, deep=True) for key, _ in node.value]
        if twice := [key for place, key in enumerate(keys) if key in keys[:place]]:
            raise yaml.constructor.ConstructorError(
                None, None, f'key {twice[0]!r} stands twice', node.start_mark)
        return yaml.SafeLoader.construct_mapping(loader, node, deep=True)

    Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    return Loader


def _read_rule(values: Any, place: str) -> Rule:
    if not isinstance(values, dict):
        raise BadValue(f'{place}: a mapping is needed, such as\n{_EXAMPLE}\ngot {values!r:.80}')
    if isinstance(name := values.get('name'), str):
        place += f' ({name[:40]!r})'
    if unknown := [key for key in values if key not in _KEYS]:
        raise BadValue(f'{place}: {unknown[0]}: no key of a rule; there are {", ".join(_KEYS)}')
    for key in ('name', 'sentence'):
        if not isinstance(values.get(key), str) or not values[key].strip():
            raise BadValue(f'{place}: {key}: a text is needed, got {values.get(key)!r:.80}')
    try:
        check_texts([values['sentence']])
    except BadValue as error:
        raise BadValue(f'{place}: sentence: {error}') from error
    bounds = [key for key in BOUNDS if key in values]
    if len(bounds) != 1:
        raise BadValue(f'{place}: {" and ".join(bounds) or "no bound"}: one of '
                       f'{", ".join(BOUNDS)} is needed')
    return Rule(values['name'].strip(), values['sentence'].strip(), bounds[0],
                _read_number(values, bounds[0], place, *BOUNDS[bounds[0]]),
                _read_where(values.get('where'), place),
                _read_number({'cool_down': 0, **values}, 'cool_down', place, 0, None))


def _read_number(values: Mapping[str, Any], key: str, place: str, low: float,
                 high: float | None) -> float:
    value = values[key]
    if not is_finite(value) or value < low or (high is not None and value > high) or (
            key == 'max_false_alarm_rate' and value in (low, high)):
        said = f'a number from {low}' if high is None else (
            f'a number between {low} and {high}, such as 0.001'
            if key == 'max_false_alarm_rate' else f'a number from {low} to {high}')
        raise BadValue(f'{place}: {key}: {said} is needed, got {value!r:.80}')
    return float(value)


def _read_where(value: Any, place: str) -> dict[str, Any]:
    """Read a filter: a word as on a command line, or a mapping of keys to a value or several."""
    values = {} if value is None else value
    if isinstance(values, str):
        words = [values]
    elif isinstance(values, dict):
        words = [f'{key}={_join(choice)}' for key, choice in values.items()]
    else:
        raise BadValue(f'{place}: where: a filter is a mapping such as {{camera: [c1, c2]}}, got '
                       f'{value!r:.80}')
    try:
        return parse_where(words)
    except BadValue as error:
        raise BadValue(f'{place}: where: {error}') from error


def _join(choice: Any) -> str:
    several = choice if isinstance(choice, list) else [choice]
    return ','.join(str(each).replace(',', '\\,') for each in several)
