"""Progress of an index run: a bar in a terminal, a line now and then anywhere else."""

import sys
import time
from types import TracebackType

__all__ = ['IndexProgress']


class IndexProgress:
    """Display of the files done of all, with a note.

    Args:
        total: Files.
        shown: Whether to show anything.
        interval: Seconds between two lines, where there is no terminal.
        noun: Word for them.
    """

    def __init__(self, total: int, shown: bool = True, interval: float = 10.0,
                 noun: str = 'files') -> None:
        self.total = total
        self.noun = noun
        self.shown = shown
        self.interval = interval
        self._done = 0
        self._begin = self._last = time.monotonic()
        self._bar = _bar(total, noun) if shown and sys.stderr.isatty() else None

    def __enter__(self) -> 'IndexProgress':
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, note: str) -> None:
        """Count one more file as done.

        Args:
            note: What came of all so far, for the end of the line.
        """
        self._done += 1
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=self._done, note=note)
        elif self.shown and time.monotonic() - self._last >= self.interval:
            self._last = time.monotonic()
            print(self.line(note, self._last - self._begin), file=sys.stderr, flush=True)

    def line(self, note: str, elapsed: float) -> str:
        """Format the line after ``elapsed`` seconds."""
        pace = self._done / max(elapsed, 1e-9)
        left = (self.total - self._done) / max(pace, 1e-9)
        return (f'{self._done} of {self.total} {self.noun}, {note}; {pace:.1f} {self.noun} a '
                f'second, {left:.0f} s left')


def _bar(total: int, noun: str):
    """Make a bar of rich, which comes with MMEngine; ``None`` where that is not installed."""
    try:
        from rich import progress
        from rich.console import Console
    except ImportError:
        return None
    bar = progress.Progress(
        progress.TextColumn(noun), progress.BarColumn(), progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(), progress.TextColumn('{task.fields[note]}'),
        console=Console(stderr=True))
    bar.add_task(noun, total=total, note='')
    return bar
