"""Ctrl-C and SIGTERM as exceptions of the one process that is to end in an orderly way."""

import atexit
import os
import signal
import threading
import time
from types import FrameType, TracebackType

__all__ = ['StopSignals', 'Terminated']

_STOPPING = (signal.SIGINT, signal.SIGTERM)
#: Seconds after which a further signal is a person who does not want to wait.
_PATIENCE = 3.


class Terminated(BaseException):
    """SIGTERM, as ``KeyboardInterrupt`` is SIGINT: no ``except Exception`` holds it up."""


class StopSignals:
    """Context in which the first Ctrl-C or SIGTERM raises, and further ones do no harm.

    A launcher often sends a second signal right after the first; while the process cleans up it is
    ignored. One that comes seconds later ends the process at once.

    Processes that are forked meanwhile, such as the workers of a loader, get the handlers too:
    there SIGTERM has its usual effect, and Ctrl-C, which reaches all processes of a terminal, is
    left to the parent, which ends them. A signal that is ignored, as SIGINT in the background of a
    shell, stays ignored; outside the main thread, which alone may handle signals, nothing changes.

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
        self._process = os.getpid()
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> 'StopSignals':
        if threading.current_thread() is threading.main_thread():
            for number in _STOPPING:
                # None is a handler that is not Python's and could not be put back.
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if self.received is not None:
            atexit.register(_end_in_silence)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:
            if number == signal.SIGTERM:
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)
        elif self.received is None:
            self.received, self._received_at = signal.Signals(number), time.monotonic()
            raise KeyboardInterrupt if number == signal.SIGINT else Terminated
        elif time.monotonic() - self._received_at > _PATIENCE:
            os._exit(128 + self.received)


def _end_in_silence() -> None:
    """Ignore a second signal, and let torch not report the workers of loaders that end now."""
    for number in _STOPPING:
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, 'SIGCHLD'):
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
