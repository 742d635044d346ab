"""File of the rules of a watch, changed rule by rule, each change by the reader of the watch."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmtbps.errors import BadValue
from mmtbps.fileio import write_durably

from .rules import Rule, parse_rules, read_rules

__all__ = ['RuleFile', 'RuleSet', 'as_values']


@dataclass(frozen=True)
class RuleSet:
    """Rules as they stand in a file at a moment.

    Args:
        rules: In their order; none where there is no file yet.
        stamp: SHA-256 of the file, empty where there is none.
    """

    rules: tuple[Rule, ...] = ()
    stamp: str = ''


class RuleFile:
    """File of rules.

    Its content is written whole and by one form: remarks in it are lost with the first change, and
    what was there before stays beside it, as ``NAME.before``.

    Args:
        path: Of the file, which may not be there yet.

    Example:
        >>> import tempfile
        >>> file = RuleFile(tempfile.mkdtemp() + '/rules.yaml')
        >>> file.put(dict(name='red', sentence='a red coat', min_score=.3)).rules[0].name
        'red'
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)

    def read(self) -> RuleSet:
        """Read the rules.

        Raises:
            BadValue: The file is none of rules; the message names rule and key.
        """
        if not os.path.lexists(self.path):
            return RuleSet()
        return RuleSet(tuple(read_rules(self.path)), self._stamp())

    def put(self, values: dict[str, Any], former: str = '', stamp: str | None = None) -> RuleSet:
        """Add a rule, or put it in the place of a former one.

        Args:
            values: As a rule of the file.
            former: Name of the rule whose place it takes; empty adds it at the end.
            stamp: Of the `RuleSet` that was looked at; where the file is another by now, nothing is
                changed. None changes it anyway.

        Raises:
            BadValue: The rule is none, its name is taken, the file has changed, or there is no
                rule of that name.
        """
        there = self._check(stamp)
        known = [as_values(rule) for rule in there.rules]
        if former:
            known[self._place(there, former)] = values
        else:
            known.append(values)
        return self._write(known)

    def remove(self, name: str, stamp: str | None = None) -> RuleSet:
        """Remove a rule.

        Raises:
            BadValue: There is none of this name, it is the last one, or the file has changed.
        """
        there = self._check(stamp)
        place = self._place(there, name)
        if len(there.rules) == 1:
            raise BadValue(f'{name!r} is the last rule, and a watch needs one: change it, or add '
                           'another one first')
        return self._write([as_values(rule) for number, rule in enumerate(there.rules)
                            if number != place])

    def check(self, values: dict[str, Any]) -> Rule:
        """Read one rule as the file would have it.

        Raises:
            BadValue: It is none.
        """
        return parse_rules(_dump([values]), self.path.name)[0]

    def _check(self, stamp: str | None) -> RuleSet:
        there = self.read()
        if stamp is not None and stamp != there.stamp:
            raise BadValue('the rules were changed meanwhile by somebody else: look at them again')
        return there

    def _place(self, there: RuleSet, name: str) -> int:
        for number, rule in enumerate(there.rules):
            if rule.name == name:
                return number
        raise BadValue(f'there is no rule {name!r}')

    def _write(self, values: Sequence[dict[str, Any]]) -> RuleSet:
        text = _dump(values)
        rules = parse_rules(text, self.path.name)  # before anything is written
        if self.path.exists():
            write_durably(self.path.with_name(f'{self.path.name}.before'), self.path.read_bytes())
        write_durably(self.path, text)
        return RuleSet(tuple(rules), self._stamp())

    def _stamp(self) -> str:
        return hashlib.sha256(self.path.read_bytes()).hexdigest()


def as_values(rule: Rule) -> dict[str, Any]:
    """Write a rule as a file of rules has it.

    Example:
        >>> as_values(Rule('red', 'a red coat', 'min_score', .3, dict(frame=(10, None))))
        {'name': 'red', 'sentence': 'a red coat', 'min_score': 0.3, 'where': {'frame': '10..'}}
    """
    where = {key: _as_choice(value) for key, value in rule.where.items()}
    return {'name': rule.name, 'sentence': rule.sentence, rule.bound: rule.value,
            **({'where': where} if where else {}),
            **({'cool_down': rule.cool_down} if rule.cool_down else {})}


def _as_choice(value: Any) -> Any:
    if isinstance(value, tuple):
        return '..'.join('' if end is None else str(end) for end in value)
    return list(value) if isinstance(value, list) else value


def _dump(values: Sequence[dict[str, Any]]) -> bytes:
    import yaml
    return yaml.safe_dump(list(values), sort_keys=False, allow_unicode=True).encode()
