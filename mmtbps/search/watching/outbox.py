"""Outbox on disk: who was looked at, and the alarms that wait to be sent.

That somebody was looked at and the alarms for it are written in one transaction, so a kill leaves
both or none. An alarm waits for each kind of receiver until that has acknowledged it.
"""

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from mmtbps.errors import BadValue, UserError
from mmtbps.fileio import DiskFull, explained_disk_full

from ..galleries.base import GalleryEntry
from .alarms import Alarm
from .repeats import Repeats

__all__ = ['Outbox', 'OutboxUnusable']

FILE = 'outbox.sqlite'
_VERSION = 1
_PATIENCE = 30.  # seconds for another thread's transaction
_TABLES = """
create table seen (entry text, sha256 text, primary key (entry, sha256)) without rowid;
create table alarms (number integer primary key autoincrement, id text unique, rule text,
                     line text);
create table waiting (receiver text, number integer, primary key (receiver, number)) without rowid;
create table tracks (rule text, track text, primary key (rule, track)) without rowid;
create table times (rule text, clock text, moment real, primary key (rule, clock)) without rowid;
create table people (rule text primary key, count integer);
create table captured (id text primary key, entry text);
"""


class OutboxUnusable(UserError, OSError):
    """An outbox that cannot be read or written at this moment."""


class Outbox:
    """Outbox of one watch. Each thread opens its own.

    Args:
        folder: Keeps it; made if it is missing, on a disk of this machine.

    Raises:
        BadValue: What lies there is of another version, or no outbox.
        DiskFull: There is no space for it.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        self.folder = Path(folder)
        with explained_disk_full(folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        self.path = self.folder / FILE
        try:
            with self._worded():
                self._file = sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None,
                                             check_same_thread=False)
                self._file.execute('pragma journal_mode = wal')
                self._file.execute('pragma synchronous = full')
                self._make()
        except sqlite3.DatabaseError as error:
            raise BadValue(f'{self.path}: damaged, or no outbox ({error}). Move it away: then all '
                           'who are in the gallery count as looked at') from error

    @property
    def is_new(self) -> bool:
        """True until somebody was noted as looked at."""
        return not self._rows('select 1 from seen limit 1') and not self._rows(
            "select 1 from people where rule = ''")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    # ------------------------------------------------------------------ who was looked at
    def seen(self) -> set[tuple[str, str]]:
        """Return id and content of all entries that were looked at."""
        return set(self._rows('select entry, sha256 from seen'))

    def repeats(self) -> Repeats:
        """Return the tracks and times for which alarms were raised."""
        return Repeats(set(self._rows('select rule, track from tracks')),
                       {(rule, clock): moment for rule, clock, moment in self._rows(
                           'select rule, clock, moment from times')})

    def record(self, entries: Iterable[GalleryEntry], alarms: Sequence[Alarm] = (),
               receivers: Sequence[str] = (), repeats: Repeats | None = None,
               people: Mapping[str, int] | None = None) -> None:
        """Note that entries were looked at, and put their alarms in; all of it or nothing.

        An alarm whose id is there is not put in again.

        Args:
            entries: That were looked at.
            alarms: In order.
            receivers: Kinds of receivers that each of them waits for.
            repeats: As they are with these alarms.
            people: Entries that each rule has judged.

        Raises:
            DiskFull: There is no space; nothing is noted.
            OutboxUnusable: The disk refuses; nothing is noted.
        """
        with self._transaction():
            self._many('insert or ignore into seen values (?, ?)',
                       [(entry.id, entry.sha256) for entry in entries])
            for alarm in alarms:
                added = self._file.execute(
                    'insert or ignore into alarms (id, rule, line) values (?, ?, ?)',
                    (alarm.id, alarm.rule, alarm.text))
                if added.rowcount:
                    self._many('insert into waiting values (?, ?)',
                               [(receiver, added.lastrowid) for receiver in receivers])
            if repeats is not None:
                self._many('insert or ignore into tracks values (?, ?)', repeats.tracks)
                self._many('insert or replace into times values (?, ?, ?)',
                           [(*key, moment) for key, moment in repeats.times.items()])
            self._many('insert into people values (?, ?) on conflict (rule) do update set '
                       'count = count + excluded.count', {'': 0, **(people or {})}.items())

    # ------------------------------------------------------------------ people of a stream
    def capture(self, entry: GalleryEntry) -> None:
        """Note a person whose picture is kept and who is not in the gallery yet."""
        with self._transaction():
            self._file.execute('insert or ignore into captured values (?, ?)',
                               (entry.id, json.dumps(entry.to_json())))

    def captured(self) -> list[GalleryEntry]:
        """Return the people who are not in the gallery yet, in order."""
        return [GalleryEntry.from_json(json.loads(text)) for text, in self._rows(
            'select entry from captured order by rowid')]

    def release(self, entries: Sequence[GalleryEntry]) -> None:
        """Forget people who are in the gallery now."""
        with self._transaction():
            self._many('delete from captured where id = ?', [(entry.id, ) for entry in entries])

    # ------------------------------------------------------------------ alarms on their way
    def next(self, receiver: str) -> Alarm | None:
        """Return the oldest alarm that waits for a kind of receiver."""
        found = self._rows(
            'select id, rule, line, number from alarms where number = '
            '(select min(number) from waiting where receiver = ?)', receiver)
        return Alarm(*found[0]) if found else None

    def acknowledge(self, receiver: str, alarm: Alarm) -> None:
        """Note that a kind of receiver has an alarm for good."""
        with self._transaction():
            self._file.execute('delete from waiting where receiver = ? and number = ?',
                               (receiver, alarm.number))

    def waiting(self) -> dict[str, int]:
        """Count the alarms that wait, by kind of receiver."""
        return dict(self._rows('select receiver, count(*) from waiting group by receiver'))

    def alarms(self) -> list[Alarm]:
        """Return all alarms that were raised, in order."""
        return [Alarm(*row) for row in self._rows(
            'select id, rule, line, number from alarms order by number')]

    def people(self) -> dict[str, int]:
        """Count the entries that each rule has judged."""
        return {rule: count for rule, count in self._rows('select rule, count from people') if rule}

    # ------------------------------------------------------------------ SQLite
    def _make(self) -> None:
        version, = self._file.execute('pragma user_version').fetchone()
        if version == 0:
            with self._transaction():  # another thread or process may have been faster
                if self._file.execute('pragma user_version').fetchone() == (0, ):
                    for statement in filter(str.strip, _TABLES.split(';')):
                        self._file.execute(statement)
                    self._file.execute(f'pragma user_version = {_VERSION}')
        elif version != _VERSION:
            raise BadValue(f'{self.path}: of version {version}, and this program reads {_VERSION}')

    def _rows(self, query: str, *values: object) -> list[tuple]:
        with self._worded():
            return self._file.execute(query, values).fetchall()

    def _many(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        self._file.executemany(statement, rows)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._worded():
            self._file.execute('begin immediate')
            try:
                yield
                self._file.execute('commit')
            except BaseException:
                with contextlib.suppress(sqlite3.Error):  # a full disk has rolled it back itself
                    self._file.execute('rollback')
                raise

    @contextlib.contextmanager
    def _worded(self) -> Iterator[None]:
        """Word what the disk refuses; SQLite has errors of its own for that."""
        try:
            yield
        except sqlite3.OperationalError as error:
            if 'full' in str(error):
                raise DiskFull(f'{self.path}: the disk is full; free some space. Alarms wait until '
                               'then') from error
            raise OutboxUnusable(f'{self.path}: {error}') from error
