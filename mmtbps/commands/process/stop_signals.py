"""Ctrl-C and SIGTERM as exceptions of the one process that is to end in an orderly way."""

import atexit
import os
import signal
import sys
import threading
import time
from types import FrameType, TracebackType

__all__ = ['StopSignals', 'Terminated']

_STOPPING = (signal.SIGINT, signal.SIGTERM)
_IN_CHILDREN = {signal.SIGINT: signal.SIG_IGN, signal.SIGTERM: signal.SIG_DFL}
_open: list['StopSignals'] = []
#: Seconds after which a further signal is a person who does not want to wait.
_PATIENCE = 3.
#: Seconds after which a signal that was lost in a destructor is sent again.
_AGAIN = .05


class Terminated(BaseException):
    """SIGTERM, as ``KeyboardInterrupt`` is SIGINT: no ``except Exception`` holds it up."""


class StopSignals:
    """Context in which the first Ctrl-C or SIGTERM raises, and further ones do no harm.

    A launcher often sends a second signal right after the first; while the process cleans up it is
    ignored. One that comes seconds later ends the process at once. Python drops what is raised in
    a destructor or a callback of a weak reference: a signal that comes there is sent again.

    In processes that are forked meanwhile, such as the workers of a loader, SIGTERM has its usual
    effect, and Ctrl-C, which reaches all processes of a terminal, is left to the parent, which ends
    them. A signal that is ignored, as SIGINT in the background of a shell, stays ignored; outside
    the main thread, which alone may handle signals, nothing changes.

    Attributes:
        received: The first signal that came, ``None`` so far.

    Example:
        >>> with StopSignals() as signals:
        ...     signals.received is None
        True
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._received_at = 0.
        self._before: dict[signal.Signals, object] = {}
        self._hook_before = sys.unraisablehook

    def __enter__(self) -> 'StopSignals':
        if threading.current_thread() is threading.main_thread():
            for number in _STOPPING:
                # None is a handler that is not Python's and could not be put back.
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._before[number] = signal.signal(number, self._handle)
            self._hook_before, sys.unraisablehook = sys.unraisablehook, self._send_again
        _open.append(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if self.received is not None:
            atexit.register(_end_in_silence)
        if self in _open:  # not in a child, which has left it already
            _open.remove(self)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if sys.unraisablehook == self._send_again:
            sys.unraisablehook = self._hook_before

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.received is None:
            self.received, self._received_at = signal.Signals(number), time.monotonic()
            raise KeyboardInterrupt if number == signal.SIGINT else Terminated
        elif time.monotonic() - self._received_at > _PATIENCE:
            os._exit(128 + self.received)

    def _send_again(self, dropped: 'sys.UnraisableHookArgs') -> None:
        """Send a signal again whose exception Python could only have printed."""
        if self.received and issubclass(dropped.exc_type, (KeyboardInterrupt, Terminated)):
            number, self.received = self.received, None
            # Raised at once, it would be dropped here too.
            timer = threading.Timer(_AGAIN, signal.pthread_kill,
                                    (threading.main_thread().ident, number))
            timer.daemon = True
            timer.start()
        else:
            self._hook_before(dropped)


def _end_in_silence() -> None:
    """Ignore a second signal, and let torch not report the workers of loaders that end now."""
    for number in _STOPPING:
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, 'SIGCHLD'):
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


# A child must not have the handlers for a moment: they act only between two steps of Python, so one
# that is about to wait for its parent would never end by the SIGTERM of that parent. Until they are
# gone there, signals are held back.

def _hold_signals() -> None:
    if _open:
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)


def _let_signals_through() -> None:
    if _open:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)


def _leave_signals_to_the_parent() -> None:
    if _open:
        for number in {number for signals in _open for number in signals._before}:
            signal.signal(number, _IN_CHILDREN[number])
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)
        _open.clear()


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(before=_hold_signals, after_in_parent=_let_signals_through,
                        after_in_child=_leave_signals_to_the_parent)
