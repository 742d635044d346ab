"""Filters of the entries of a gallery, as data.

A filter is a dict, and all its keys must hold:

========================================  =====================================================
``{'camera': 'c1'}``                      equal
``{'camera': ['c1', 'c2']}``              one of
``{'frame': (0, 60)}``                     from 0 to 60, both included; ``None`` is an open end
``{'time': ('2024-01-01', None)}``        times as text, UTC; a day as an end is all of that day
``{'coat': 'red'}``                       a free key, from ``extra`` of the entries
========================================  =====================================================

A value is compared, never pasted into a query: quotes, percent signs and the like mean themselves.
An entry of which a key is not known is in no filter of that key.
"""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from operator import attrgetter
from typing import Any

from mmtbps.errors import BadValue

__all__ = ['KINDS', 'Condition', 'OneOf', 'Range', 'check_key', 'check_value', 'is_storable',
           'parse_time', 'parse_where', 'read_where']

#: Own columns of an entry that a filter may name, and the kind of their values.
KINDS = {'camera': str, 'track': str, 'path': str, 'time': float, 'frame': int}
_RESERVED = {'id', 'size', 'sha256', 'mtime_ns', 'box', 'extra', 'score', 'rank', 'vector'}
_FREE_KEY = re.compile(r'\w[\w.-]{0,63}')
_NUMBER = re.compile(r'[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,2})?', re.ASCII | re.IGNORECASE)
#: The first photograph is of 1826; databases write the years 1 and 1900 where they know none.
_YEAR_1826, _YEAR_2100 = -4_544_208_000, 4_102_444_800
#: Dates as cameras and spreadsheets write them without a sign between the numbers.
_DIGIT_DATES = ('%Y', '%Y%m', '%Y%m%d', '%d%m%Y', '%m%d%Y', '%y%m%d', '%d%m%y', '%Y%m%d%H',
                '%Y%m%d%H%M', '%Y%m%d%H%M%S')
_POINT_DATE = re.compile(r'(19|20)\d\d\.(0[1-9]|1[0-2])(\d\d)?|(0?[1-9]|1[0-2])\.(19|20)\d\d')
#: 2000 to 2100 in days since 1900, as spreadsheets count.
_SPREADSHEET_DAYS = range(36_526, 73_051)
_FORMS = ('2024-05-01, 2024-05-01T13:45, 2024-05-01T13:45:00Z, 2024-05-01 13:45:00+02:00, or '
          'seconds since 1970')
#: A day, or a week of one, with a time of day or without.
_MOMENT = re.compile(r'\d{4}-?(\d{2}-?\d{2}|W\d{2}(?P<weekday>-?\d)?)(?P<of_day>[T\s]\s*\d.*)?'
                     r'(\s*UTC|Z)?', re.ASCII | re.IGNORECASE)


class Condition(ABC):
    """Condition on one key.

    Attributes:
        key: Name of a column or a free key.
    """

    key: str

    @property
    def free(self) -> bool:
        """True if the key is one of the user's own, in ``extra``."""
        return self.key not in KINDS

    @abstractmethod
    def select(self, entries: Sequence[Any]) -> list[bool]:
        """Tell for each entry whether it passes."""

    def values_of(self, entries: Iterable[Any]) -> Iterator[Any]:
        """Yield the value of each entry; ``None`` where it is not known."""
        if self.free:
            return (entry.extra.get(self.key) for entry in entries)
        return map(attrgetter(self.key), entries)


@dataclass(frozen=True, slots=True)
class OneOf(Condition):
    """Condition that a value is one of several."""

    key: str
    values: tuple[Any, ...]

    def select(self, entries: Sequence[Any]) -> list[bool]:
        """Tell for each entry whether it passes."""
        wanted = frozenset(self.values)
        return [value in wanted for value in self.values_of(entries)]


@dataclass(frozen=True, slots=True)
class Range(Condition):
    """Condition that a value lies in ``low`` to ``high``, both included; ``None`` is open."""

    key: str
    low: float | None
    high: float | None

    def select(self, entries: Sequence[Any]) -> list[bool]:
        """Tell for each entry whether it passes."""
        low = -math.inf if self.low is None else self.low
        high = math.inf if self.high is None else self.high
        return [value is not None and low <= value <= high for value in self.values_of(entries)]


def read_where(where: Mapping[str, Any] | None) -> tuple[Condition, ...]:
    """Check a filter.

    Raises:
        ValueError: If a key cannot be filtered by, or a value does not fit its key; the message
            names both.

    Example:
        >>> read_where({'camera': 'c1', 'frame': (10, None)})
        (OneOf(key='camera', values=('c1',)), Range(key='frame', low=10, high=None))
        >>> read_where({'camera': 3})
        Traceback (most recent call last):
        mmtbps.errors.BadValue: filter: 'camera' must be text, got 3
    """
    if where is None:
        return ()
    if not isinstance(where, Mapping):
        raise BadValue(f"a filter is a dict such as {{'camera': 'c1'}}, got {where!r}")
    return tuple(_condition(check_key(key), value) for key, value in where.items())


def check_key(key: Any) -> str:
    """Check a key that a filter may name, or an entry may have in ``extra``.

    Raises:
        ValueError: If it is no name, or that of a column without filter.
    """
    if not isinstance(key, str) or not _FREE_KEY.fullmatch(key):
        raise BadValue(f'filter key {key!r} is no name: write letters, digits, "_", "-" and ".", '
                       'at most 64')
    if key in _RESERVED:
        raise BadValue(f'{key!r} is no filter key: filter by {", ".join(KINDS)} or a key of your '
                       'own')
    return key


def _condition(key: str, value: Any) -> Condition:
    kind = KINDS.get(key, str)
    if isinstance(value, tuple):
        if kind is str:
            raise BadValue(f'filter: {key!r}: a tuple is a range, and text has none; write a '
                           f'list for one of several')
        if len(value) != 2 or value == (None, None):
            raise BadValue(f'filter: {key!r}: a range is (from, to) with None for one open end '
                           f'at most, got {value!r}')
        low = None if value[0] is None else _bounds(key, kind, value[0])[0]
        high = None if value[1] is None else _bounds(key, kind, value[1])[1]
        if low is not None and high is not None and low > high:
            raise BadValue(f'filter: {key!r}: the range {value!r} ends before it begins')
        return Range(key, low, high)
    if isinstance(value, list):
        if not value:
            raise BadValue(f'filter: {key!r}: the list is empty; leave the key out for all')
        if any(_days_in(key, item) for item in value):
            raise BadValue(f'filter: {key!r}: a day is a range of times and cannot be in a '
                           'list; give (first day, last day)')
        return OneOf(key, tuple(_bounds(key, kind, item)[0] for item in value))
    low, high = _bounds(key, kind, value)
    return OneOf(key, (low,)) if low == high else Range(key, low, high)


def _days_in(key: str, value: Any) -> int:
    """Count the days that a time is all of: of a day, of a week, 0 of an instant."""
    found = _MOMENT.fullmatch(value.strip()) if key == 'time' and isinstance(value, str) else None
    if found is None or found['of_day'] or value.strip().isdigit():
        return 0
    return 7 if 'W' in found[1].upper() and found['weekday'] is None else 1


def _bounds(key: str, kind: type, value: Any) -> tuple[Any, Any]:
    """Return the value twice, or beginning and end of a day or a week."""
    if key == 'time' and isinstance(value, str):
        start = parse_time(value)
        if not (days := _days_in(key, value)):
            return start, start
        # The last microsecond, which is as fine as times are written.
        return start, start + timedelta(days=days, microseconds=-1).total_seconds()
    value = check_value(key, value, 'filter')
    return value, value


def check_value(key: str, value: Any, who: str) -> Any:
    """Check a value of a key: text, or a number that every gallery stores exactly.

    Args:
        key: A column or a free key.
        value: What is to be compared or stored.
        who: Begins the message of an error.

    Raises:
        ValueError: If the value is not of the key's kind.
    """
    kind = KINDS.get(key, str)
    if kind is str:
        if not isinstance(value, str):
            raise BadValue(f'{who}: {key!r} must be text, got {value!r}')
        if not is_storable(value):
            reason = 'holds a zero byte' if '\0' in value else 'is not valid Unicode text'
            raise BadValue(f'{who}: {key!r} {reason}: {value!r}')
        return value
    fits = isinstance(value, int if kind is int else (int, float)) and not isinstance(value, bool)
    if not fits or not abs(value) < 2**53:  # also refuses NaN
        names = {int: 'a whole number', float: 'a number of seconds'}
        raise BadValue(f'{who}: {key!r} must be {names[kind]}, got {value!r}')
    return kind(value)


def is_storable(text: str) -> bool:
    """Tell whether every gallery can store a text: no zero byte, no half of a character.

    Example:
        >>> is_storable('c1'), is_storable('c\\0'), is_storable('\\udcff')
        (True, False, False)
    """
    try:
        return b'\0' not in text.encode()
    except UnicodeEncodeError:
        return False


def parse_time(text: str) -> float:
    """Convert a date or time to seconds since 1970 (UTC); a number of seconds stays.

    Args:
        text: ``'2024-01-31'``, ``'2024-01-31T12:00'`` (UTC unless it says otherwise, as
            ``+01:00``) or ``'1714570000.5'``.

    Raises:
        BadValue: If it is neither; a number that reads as a date; a time before 1826 or after
            2100.

    Example:
        >>> parse_time('1970-01-02T00:00:01.5'), parse_time('12.5')
        (86401.5, 12.5)
    """
    text = text.strip()
    if _NUMBER.fullmatch(text):
        return _seconds(text)
    try:
        if not _MOMENT.fullmatch(text):  # Python takes any sign before a time, also that of a zone
            raise ValueError
        # Python 3.10 does not know the Z; times are shown with UTC.
        moment = datetime.fromisoformat(re.sub(r'(?<=\d)(\s*UTC|Z)$', '+00:00', text, flags=re.I))
    except ValueError:
        raise BadValue(f'time {text!r} is neither a number of seconds nor a date and time: write '
                       f'{_FORMS}') from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    seconds = moment.timestamp()
    if not _YEAR_1826 <= seconds < _YEAR_2100:
        raise BadValue(f'time {text!r} lies {_where(seconds)}')
    return seconds


def _seconds(text: str) -> float:
    """Read a number of seconds that is no date without its dashes and no count of milliseconds."""
    seconds = float(text)
    digits = text if text.isdigit() else f'{abs(seconds):.0f}'
    if (seconds.is_integer() and any(_reads_as(digits, form) for form in _DIGIT_DATES)
            or int(seconds) in _SPREADSHEET_DAYS or _POINT_DATE.fullmatch(text)):
        raise BadValue(f'time {text!r} reads as a date, and would be taken for seconds since 1970: '
                       f'write {_FORMS}')
    if not _YEAR_1826 <= seconds < _YEAR_2100:
        raise BadValue(f'time {text!r} lies {_where(seconds)} as seconds since 1970; if it counts '
                       'milliseconds, divide it by 1000')
    return seconds


def _where(seconds: float) -> str:
    return 'after 2100' if seconds > 0 else 'before 1826; leave it empty where it is not known'


def _reads_as(digits: str, form: str) -> bool:
    """Tell whether digits are a date of 1900 to 2099 in a form, all of its numbers in full."""
    try:
        moment = datetime.strptime(digits, form)
    except ValueError:
        return False
    return 1900 <= moment.year < 2100 and moment.strftime(form) == digits


def parse_where(words: Sequence[str] | None) -> dict[str, Any]:
    r"""Read a filter from words of the command line.

    Args:
        words: ``key=value``, ``key=value,value`` for one of several, ``key=from..to`` for a range
            of times or frames, with either end left out if it is open. A comma that belongs to a
            value is written ``\,``.

    Raises:
        ValueError: If a word is not of this form; the message shows it.

    Example:
        >>> parse_where(['camera=c1,c2', 'frame=10..', 'coat=red'])
        {'camera': ['c1', 'c2'], 'frame': (10, None), 'coat': 'red'}
    """
    where: dict[str, Any] = {}
    for word in words or ():
        key, equals, text = word.partition('=')
        if not equals or not text:
            raise BadValue(f'filter {word!r} is not of the form key=value')
        if check_key(key) in where:
            raise BadValue(f'filter key {key!r} is given twice: write {key}=one,two for one of '
                           'several')
        where[key] = _parse_value(key, text)
    read_where(where)
    return where


def _parse_value(key: str, text: str) -> Any:
    if KINDS.get(key, str) is not str and '..' in text:
        ends = text.split('..')
        if len(ends) != 2:
            raise BadValue(f'filter {key}={text}: a range is {key}=from..to')
        return tuple(_parse_number(key, end) if end.strip() else None for end in ends)
    parts = [part.replace('\\,', ',') for part in re.split(r'(?<!\\),', text)]
    if '' in parts:
        raise BadValue(f'filter {key}={text}: a value between the commas is missing')
    values = [part if KINDS.get(key, str) is str else _parse_number(key, part) for part in parts]
    return values[0] if len(values) == 1 else values


def _parse_number(key: str, text: str) -> Any:
    if key == 'frame':
        try:
            return int(text)
        except ValueError:
            raise BadValue(f'filter {key}={text}: a frame is a whole number') from None
    return text.strip() if _days_in(key, text) else parse_time(text)

