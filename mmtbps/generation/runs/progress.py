"""Progress of a run: one line now and then, readable in a terminal and in a log file."""

import time
from datetime import timedelta

from mmengine.logging import print_log

from .run_summary import RunSummary

__all__ = ['RunProgress']


class RunProgress:
    """Printer of jobs done, acceptance, failures, speed and remaining time.

    Args:
        total: Jobs of this process, those of earlier starts included.
        summary: Counts of the jobs done; grows outside.
        interval: Seconds between two lines.
        title: Begins each line.
    """

    def __init__(self, total: int, summary: RunSummary, interval: float, title: str) -> None:
        self.total = total
        self.summary = summary
        self.interval = interval
        self.title = title
        self._done_before = summary.total
        self._begin = self._last = time.monotonic()
        if self._done_before:
            print_log(f'{title}: {self._done_before} of {total} jobs are done already', 'current')

    def report(self) -> None:
        """Print a line if the last one is long enough ago."""
        if time.monotonic() - self._last >= self.interval:
            self._last = time.monotonic()
            print_log(self.line(self._last - self._begin), 'current')

    def finish(self) -> None:
        """Print the last line."""
        print_log(self.line(time.monotonic() - self._begin), 'current')

    def line(self, elapsed: float) -> str:
        """Word the line after ``elapsed`` seconds of this start."""
        done = self.summary.total
        text = (f'{self.title}: {done}/{self.total} jobs, {100 * self.summary.acceptance:.1f} % '
                f'accepted, {self.summary.statuses["failed"]} failed')
        if new := done - self._done_before:
            pace = elapsed / new
            left = timedelta(seconds=round(pace * (self.total - done)))
            text += f', {pace:.2f} s a job, {left} left'
        return text
