"""Sending of alarms: a thread for each receiver, so that a slow one holds nobody up."""

import threading
from collections.abc import Callable
from pathlib import Path

from .outbox import Outbox
from .receivers import Receiver

__all__ = ['Sender']

_LONGEST_PAUSE = 60.
_PATIENCE = 5.  # seconds between two looks into the outbox, should a call have been missed


class Sender:
    """Sender of the alarms that wait for one receiver, oldest first.

    An alarm that is not received is tried again, after pauses that double up to a minute, and those
    behind it wait. That is said once, and again when it goes on.

    Args:
        folder: Of the outbox.
        receiver: Of the alarms; closed in the end.
        notify: Takes a line for people.
        pause: Seconds before the second attempt.

    Attributes:
        fails: Whether the last attempt has failed.
        error: A fault of the program that has ended it.
    """

    def __init__(self, folder: Path, receiver: Receiver, notify: Callable[[str], object],
                 pause: float = 1.) -> None:
        self.receiver = receiver
        self.fails = False
        self.error: Exception | None = None
        self._folder, self._notify, self._first_pause = folder, notify, pause
        self._wake, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=f'send {receiver.kind}', daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def wake(self) -> None:
        """Say that there is something new."""
        self._wake.set()

    def stop(self, timeout: float | None = None) -> None:
        """End, when the alarm that is being sent is acknowledged or has failed."""
        self._stop.set()
        self._wake.set()
        if self._thread.ident is None:
            self.receiver.close()
        else:
            self._thread.join(timeout)

    # ------------------------------------------------------------------ in the thread
    def _run(self) -> None:
        try:
            self._send_all()
        except Exception as error:  # it would end here unseen
            self.error = error
        finally:
            self.receiver.close()

    def _send_all(self) -> None:
        outbox, pause = Outbox(self._folder), self._first_pause
        while not self._stop.is_set():
            try:
                sent = self._send_next(outbox)
            except OSError as error:
                if not self.fails:
                    self._notify(f'{error}. Alarms wait on disk and are sent again')
                self.fails = True
                self._stop.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
                continue
            if self.fails:
                self._notify(f'{self.receiver.name}: receives alarms again')
            self.fails, pause = False, self._first_pause
            if not sent:
                self._wake.wait(_PATIENCE)
                self._wake.clear()
        outbox.close()

    def _send_next(self, outbox: Outbox) -> bool:
        """Send the oldest alarm; return whether there was one."""
        alarm = outbox.next(self.receiver.kind)
        if alarm is not None:
            self.receiver.send(alarm)
            outbox.acknowledge(self.receiver.kind, alarm)
        return alarm is not None
