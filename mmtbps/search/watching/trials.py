"""Trials of rules: what they would have raised, and the rate of false alarms that was met."""

import heapq
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mmtbps.errors import BadValue
from mmtbps.evaluation.presence.false_alarms import rate_interval
from mmtbps.quantities import is_count

from ..galleries.base import BaseGallery, GalleryEntry
from .alarms import Finding
from .judging import RuleJudge
from .outbox import Outbox
from .repeats import Repeats

__all__ = ['RuleRate', 'in_order_of_time', 'rates_met', 'try_last']

_AT_A_TIME = 256


@dataclass(frozen=True)
class RuleRate:
    """Rate of false alarms of a rule.

    Args:
        rule: Its name.
        people: Whom it has judged.
        alarms: That it has raised.
        false: Of these, marked false.
        rate: False alarms a person; None where nobody was judged.
        low: Of the interval that holds the rate in 95 of 100 cases.
        high: Of the same.
    """

    rule: str
    people: int
    alarms: int
    false: int
    rate: float | None
    low: float | None
    high: float | None

    def to_json(self) -> dict[str, Any]:
        """Return a dict of JSON types."""
        return asdict(self)


def try_last(gallery: BaseGallery, judge: RuleJudge, count: int, now: float) -> list[Finding]:
    """Find the alarms that rules would have raised for the last entries; nothing is noted.

    Args:
        gallery: Of the judge.
        judge: Of the rules.
        count: So many entries.
        now: Seconds since 1970, for people of whom no time is known.

    Raises:
        BadValue: The number is none.
    """
    if not is_count(count):
        raise BadValue(f'the number of the last entries is a whole number from 1, got {count!r}')
    entries = heapq.nlargest(count, gallery.entries(), key=_moment)[::-1]
    found = [finding for start in range(0, len(entries), _AT_A_TIME)
             for finding in judge(entries[start:start + _AT_A_TIME])]
    return Repeats().without(found, now)


def in_order_of_time(entries: Sequence[GalleryEntry]) -> list[GalleryEntry]:
    """Order entries by their time, or that of their file where it is not known.

    Example:
        >>> entries = [GalleryEntry('1', 'a.jpg', time=9.), GalleryEntry('2', 'b.jpg', time=2.)]
        >>> [entry.id for entry in in_order_of_time(entries)]
        ['2', '1']
    """
    return sorted(entries, key=_moment)


def _moment(entry: GalleryEntry) -> tuple[float, str, int, str]:
    return (entry.time if entry.time is not None else (entry.mtime_ns or 0) / 1e9,
            entry.path, entry.frame or 0, entry.id)


def rates_met(outbox: Outbox, false: Sequence[str] = ()) -> list[RuleRate]:
    """Compute the rate of false alarms that each rule has met.

    An alarm that nobody has marked counts as right, and one that a cool-down or a track has held
    back does not count.

    Args:
        outbox: Of the watch.
        false: Ids of the alarms that were false.

    Raises:
        BadValue: There is no such alarm.
    """
    alarms = {alarm.id: alarm.rule for alarm in outbox.alarms()}
    for key in false:
        if key not in alarms:
            raise BadValue(f'{key!r} is marked false, and no alarm of {outbox.path} has this id')
    marked = [alarms[key] for key in dict.fromkeys(false)]
    raised, people, rates = list(alarms.values()), outbox.people(), []
    for rule in sorted({*raised, *people}):
        total, wrong = max(people.get(rule, 0), raised.count(rule)), marked.count(rule)
        low, high = rate_interval(wrong, total) if total else (None, None)
        rates.append(RuleRate(rule, total, raised.count(rule), wrong,
                              wrong / total if total else None, low, high))
    return rates
