"""Watch: people who come are indexed, judged by rules, and reported, at least once each."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from mmtbps.fileio import DiskFull

from ..galleries.base import BaseGallery, GalleryEntry, GalleryUnreadable, UnknownEntry
from ..galleries.provenance import read_provenance
from .alarms import Alarm, Finding
from .judging import RuleJudge
from .outbox import Outbox
from .receivers import Receiver
from .sending import Sender
from .sources import Source
from .trials import in_order_of_time

__all__ = ['Watch']

_AT_A_TIME = 256
_LONGEST_PAUSE = 60.
_TICK = .2
_PATIENCE = 10.  # seconds for a receiver that has failed, when the source has ended


class Watch:
    """Watch of a source.

    Each look goes through four steps, of which each may be the last of a process: the source is
    looked at (`detect`), who is new comes into the gallery (`index`), is judged by the rules
    (`match`), and is noted as looked at together with the alarms (`queue`). Senders take the
    alarms from there. So who is in the gallery and not noted is judged after a restart, and an
    alarm that nobody has acknowledged is sent again, with the same id.

    Whoever is in the gallery when it is watched for the first time counts as looked at.

    Args:
        source: Of people.
        gallery: That they are brought into.
        judge: Of the people.
        outbox: On disk.
        receivers: Of the alarms, at most one of a kind.
        notify: Takes a line for people.
        pause: Seconds before something that has failed is tried again; doubles up to a minute.
        renew: Asked at each look for a judge of other rules; None while they are the same.
    """

    def __init__(self, source: Source, gallery: BaseGallery, judge: RuleJudge, outbox: Outbox,
                 receivers: Sequence[Receiver], notify: Callable[[str], object],
                 pause: float = 1.,
                 renew: Callable[[], RuleJudge | None] | None = None) -> None:
        self.source, self.gallery, self.judge, self.outbox = source, gallery, judge, outbox
        self.senders = [Sender(outbox.folder, receiver, notify, pause) for receiver in receivers]
        self.notify, self._pause, self._renew = notify, pause, renew
        self._stop = threading.Event()
        self._error: BaseException | None = None
        if outbox.is_new:
            outbox.record(gallery.entries())
        self._seen, self._repeats = outbox.seen(), outbox.repeats()
        self._waits = False
        self._mark: Any = None
        self._fresh: dict[str, GalleryEntry] = {}

    def run(self) -> None:
        """Watch until the source ends or the process is told to stop.

        The work is done in a thread, so that Ctrl-C and SIGTERM, which interrupt this one, do not
        come between a step and its end.
        """
        for sender in self.senders:
            sender.start()
        work = threading.Thread(target=self._work, name='watch', daemon=True)
        work.start()
        try:
            while work.is_alive():
                work.join(_TICK)
                self._check()
            self._check()
            self._drain()
        finally:
            self.stop()
            work.join(10)  # a long look goes on; it ends like a kill, which loses nothing
            for sender in self.senders:
                sender.stop(15)

    def stop(self) -> None:
        """End after the present step."""
        self._stop.set()

    # ------------------------------------------------------------------ steps
    def look(self) -> None:
        """Go through the steps once.

        Raises:
            OSError: A disk is full or does not answer; the same call goes on.
            GalleryUnreadable: Likewise.
        """
        self.source.index()
        if self._renew is not None and (judge := self._renew()) is not None:
            self.judge = judge
        fresh = self.fresh()
        for start in range(0, len(fresh), _AT_A_TIME):
            part = fresh[start:start + _AT_A_TIME]
            self.queue(part, self.match(part))

    def fresh(self) -> list[GalleryEntry]:
        """Return the entries of the gallery that were not looked at, in the order of time."""
        found, self._mark = self.gallery.changes(self._mark)
        self._fresh.update((entry.id, entry) for entry in found)
        self._fresh = {key: entry for key, entry in self._fresh.items()
                       if (key, entry.sha256) not in self._seen}
        if self._fresh and self.gallery.count() < self.judge.fewest:
            if not self._waits:
                self.notify(f'fewer than {self.judge.fewest} people in the gallery say nothing of '
                            'strangers: it waits for more')
            self._waits = True
            return []
        return in_order_of_time(list(self._fresh.values()))

    def match(self, entries: Sequence[GalleryEntry]) -> list[Finding]:
        """RuleJudge entries by the rules."""
        return self.judge(entries)

    def queue(self, entries: Sequence[GalleryEntry], found: Sequence[Finding]) -> list[Alarm]:
        """Note entries as looked at, and put the alarms for them into the outbox."""
        now, repeats = time.time(), self._repeats.copy()
        images = read_provenance(self.gallery).images
        alarms = [Alarm.of(each, images, now)
                  for each in repeats.without(found, now)]
        people = {rule.name: sum(self.judge.looks_at(number, entry) for entry in entries)
                  for number, rule in enumerate(self.judge.rules)}
        self.outbox.record(entries, alarms, [sender.receiver.kind for sender in self.senders],
                           repeats, people)
        # Not before all of it is on disk: what failed is done again.
        self._repeats = repeats
        self._seen.update((entry.id, entry.sha256) for entry in entries)
        for sender in self.senders if alarms else ():
            sender.wake()
        return alarms

    # ------------------------------------------------------------------ threads
    def _work(self) -> None:
        try:
            for _ in self.source.looks(self._stop):
                self._look_until_it_works()
        except BaseException as error:
            self._error = error

    def _look_until_it_works(self) -> None:
        pause, failed = self._pause, False
        while True:
            try:
                self.look()
            except UnknownEntry:  # removed meanwhile, which no change tells: all are listed again
                self._mark, self._fresh = None, {}
                continue
            except (DiskFull, GalleryUnreadable, OSError) as error:
                if not failed:
                    self.notify(f'{error}. It is tried again')
                failed = True
                if self._stop.wait(pause):
                    return
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                if failed:
                    self.notify('it goes on')
                return

    def _check(self) -> None:
        """Raise what has ended a thread."""
        for error in (self._error, *(sender.error for sender in self.senders)):
            if error is not None:
                raise error

    def _drain(self) -> None:
        """Wait until all alarms are sent, or those that wait cannot be sent for a while."""
        until = time.monotonic() + _PATIENCE
        while any(self.outbox.waiting().get(sender.receiver.kind) and (
                not sender.fails or time.monotonic() < until) for sender in self.senders):
            self._check()
            time.sleep(.05)

