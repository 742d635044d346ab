"""Watch on behalf of visitors: rules, alarms, marks and trials, all input checked first."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmtbps.errors import BadValue, MissingFile

from ..galleries.base import GalleryEntry
from ..galleries.provenance import read_provenance
from ..watching import Alarm, Outbox, Rule, RuleJudge, alarm_id
from ..watching.marks import Marks
from ..watching.outbox import FILE
from ..watching.rule_file import RuleFile, RuleSet
from ..watching.rules import BOUNDS
from ..watching.trials import RuleRate, rates_met, try_last
from .service import Refused, SearchService, read_line, refusing

__all__ = ['MAX_TRIAL', 'ShownAlarm', 'WatchFolder', 'WatchService', 'check_watch', 'read_rule']

#: Entries that a rule is tried on at most.
MAX_TRIAL = 5000
_MAX_SENTENCE = 1000


@dataclass(frozen=True)
class WatchFolder:
    """Place of a watch that the page shows.

    Args:
        folder: Of what the watch keeps (``GALLERY.watch``); None where rules alone are shown.
        rules: File of its rules; None where alarms alone are shown.
        may_change: Whether visitors may change rules and mark alarms.
    """

    folder: Path | None = None
    rules: Path | None = None
    may_change: bool = False


@dataclass(frozen=True)
class ShownAlarm:
    """Alarm as the page shows it.

    Args:
        values: Of its JSON line.
        mark: ``'false'``, ``'right'`` or empty.
        entry: Of the gallery, if it is there and has that picture still.
    """

    values: dict[str, Any]
    mark: str = ''
    entry: GalleryEntry | None = None


def check_watch(watch: WatchFolder) -> None:
    """Check the places of a watch before a page is built.

    Raises:
        BadValue: Nothing is to be shown, the rules are none, or no watch has run there.
        MissingFile: There are no rules, and visitors may not make any.
    """
    if watch.folder is not None and not (watch.folder / FILE).is_file():
        raise BadValue(f'{watch.folder}: no watch has run here yet, or with another --state')
    if watch.rules is None:
        if watch.folder is None:
            raise BadValue('--change-rules is for --watch FOLDER or --rules FILE')
        return
    begins = watch.may_change and watch.rules.absolute().parent.is_dir()
    if not watch.rules.exists() and not begins:
        raise MissingFile(f'{watch.rules}: no such file of rules')
    RuleFile(watch.rules).read()


def read_rule(name: Any, sentence: Any, bound: Any, value: Any, where: Any = '',
              cool_down: Any = '') -> dict[str, Any]:
    """Read the fields of a rule as a file of rules would have it; that checks the rest.

    Args:
        name: Of the rule.
        sentence: That describes a person.
        bound: Key of `BOUNDS`.
        value: Of the bound, a number as text.
        where: Filter in words: ``camera=lobby,yard; track=7``.
        cool_down: Seconds as text, empty for none.

    Raises:
        Refused: A field is none.

    Example:
        >>> read_rule('red', 'a red coat', 'min_score', '0.3', 'camera=lobby,yard', '60')['where']
        {'camera': ['lobby', 'yard']}
    """
    bound = read_line(bound, 'bound')
    if bound not in BOUNDS:
        raise Refused(f'The bound must be one of {", ".join(BOUNDS)}.')
    values = dict(name=read_line(name, 'name'), sentence=read_line(sentence, 'sentence',
                                                                   _MAX_SENTENCE))
    for key in ('name', 'sentence'):
        if not values[key]:
            raise Refused(f'The rule needs a {key}.')
    values[bound] = _number(value, 'bound')
    filters: dict[str, Any] = {}
    for part in filter(str.strip, read_line(where, 'filter').split(';')):
        key, equals, choice = part.strip().partition('=')
        if not equals or key in filters:
            raise Refused(f'A filter is key=value, with ; before the next one and each key once, '
                          f'such as camera=lobby,yard; got {part.strip()[:80]!r}.')
        several = [each.strip() for each in choice.split(',')]
        filters[key.strip()] = several if len(several) > 1 else several[0]
    if filters:
        values['where'] = filters
    if read_line(cool_down, 'cool-down'):
        values['cool_down'] = _number(cool_down, 'cool-down')
    return values


def _number(value: Any, name: str) -> Any:
    text = read_line(value, name)
    try:
        return float(text)
    except ValueError:
        raise Refused(f'The {name} must be a number, got {text[:80]!r}.') from None


class WatchService:
    """Watch on behalf of visitors.

    Args:
        service: Of the gallery.
        watch: Its places.

    Attributes:
        may_change: Whether visitors may change rules and mark alarms.
    """

    def __init__(self, service: SearchService, watch: WatchFolder) -> None:
        self._service, self.may_change = service, watch.may_change
        self._folder = watch.folder
        self._file = None if watch.rules is None else RuleFile(watch.rules)
        self._marks = None if watch.folder is None else Marks(watch.folder)

    @property
    def has_rules(self) -> bool:
        """True where there is a file of rules."""
        return self._file is not None

    @property
    def has_alarms(self) -> bool:
        """True where there is a watch whose alarms are shown."""
        return self._folder is not None

    def rules(self) -> RuleSet:
        """Return the rules as they are now.

        Raises:
            Refused: The file is none of rules.
        """
        with refusing():
            return RuleSet() if self._file is None else self._file.read()

    def alarms(self, count: int) -> list[ShownAlarm]:
        """Return the last alarms, latest first.

        Raises:
            Refused: The outbox or the marks cannot be read.
        """
        with refusing():
            last = self._with_outbox(lambda outbox: outbox.alarms()[-count:][::-1])
            marks = {} if self._marks is None else self._marks.read()
            return [self._show(alarm, marks.get(alarm.id, '')) for alarm in last or ()]

    def rates(self) -> list[RuleRate]:
        """Return the rate of false alarms that each rule has met, by the marks of the page.

        Raises:
            Refused: The outbox or the marks cannot be read.
        """
        with refusing():
            marks = {} if self._marks is None else self._marks.read()
            return self._with_outbox(lambda outbox: rates_met(outbox, [
                key for key, mark in marks.items() if mark == 'false'])) or []

    def mark(self, key: Any, mark: Any) -> None:
        """Mark an alarm as false or right; the same again takes the mark away.

        Raises:
            Refused: Visitors may not, or there is no such alarm.
        """
        self._check_right()
        with refusing():
            known = self._with_outbox(lambda outbox: {alarm.id for alarm in outbox.alarms()})
            if not isinstance(key, str) or key not in (known or ()):
                raise Refused('There is no such alarm.')
            self._marks.mark(key, None if self._marks.read().get(key) == mark else mark)

    def save(self, values: dict[str, Any], former: str, stamp: str) -> RuleSet:
        """Add a rule or change one; the reader of the watch and the model have taken it before.

        Raises:
            Refused: Visitors may not, the rule is none, or the file has changed meanwhile.
        """
        self._check_right()
        with refusing():
            self._judge(self._file.check(values))
            return self._file.put(values, former, stamp)

    def remove(self, name: str, stamp: str) -> RuleSet:
        """Remove a rule.

        Raises:
            Refused: Visitors may not, or it cannot go.
        """
        self._check_right()
        with refusing():
            return self._file.remove(name, stamp)

    def trial(self, values: dict[str, Any], count: Any) -> tuple[list[ShownAlarm], int]:
        """Find what a rule would have raised among the last entries; nothing is noted or sent.

        Args:
            values: Of the rule, see `read_rule`.
            count: Entries, 1 to `MAX_TRIAL`.

        Returns:
            The alarms, and the number of entries that were looked at.

        Raises:
            Refused: The rule is none, or the number.
        """
        if isinstance(count, bool) or not isinstance(count, (int, float)) or not (
                1 <= count <= MAX_TRIAL and float(count).is_integer()):
            raise Refused(f'A rule is tried on 1 to {MAX_TRIAL:,} entries.')
        gallery, now = self._service.inferencer.gallery, time.time()
        with refusing():
            judge = self._judge((self._file or RuleFile('rules.yaml')).check(values))
            found = try_last(gallery, judge, int(count), now)
            images = read_provenance(gallery.uri).images
            return [ShownAlarm(Alarm.of(each, images, now).to_json(), '', each.entry)
                    for each in found], min(int(count), gallery.count())

    def _judge(self, rule: Rule) -> RuleJudge:
        """Make the judge of a rule, by the calibration and the bounds of a search."""
        searcher = self._service.inferencer
        gallery = searcher.gallery
        estimator = searcher.judges.estimator_of(gallery)
        return RuleJudge([rule], gallery, searcher.encoder, estimator and estimator.calibration,
                         bounds=searcher.judges.checker_of(gallery).bounds)

    def _show(self, alarm: Alarm, mark: str) -> ShownAlarm:
        values = alarm.to_json()
        try:
            entry = self._service.entry(values['entry'])
        except Refused:  # it was removed
            return ShownAlarm(values, mark)
        same = alarm_id(Rule(values['rule'], values['sentence'], 'min_score', 0.),
                        entry) == values['id']
        return ShownAlarm(values, mark, entry if same else None)

    def _with_outbox(self, look: Callable[[Outbox], Any]) -> Any:
        """Look into the outbox of the watch, which may run at this moment."""
        if self._folder is None:
            return None
        outbox = Outbox(self._folder)
        try:
            return look(outbox)
        finally:
            outbox.close()

    def _check_right(self) -> None:
        if not self.may_change:
            raise Refused('Rules and marks can be changed only where the page was opened with '
                          '--change-rules.')
