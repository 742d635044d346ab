"""Records that a data set leaves out, and their summary."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from mmtbps.errors import UserError


class UndecodableImage(UserError, OSError):
    """An image that cannot be decoded where it must not be left out."""


class NoSample(UserError, RuntimeError):
    """An item for which the pipeline gave nothing, nor for any item in its place."""


class SkippedRecord(NamedTuple):
    """A record or caption left out: annotation file, record (from 1) and ``kind: detail``."""

    file: str
    record: int
    reason: str

    @property
    def kind(self) -> str:
        """The part of ``reason`` before the colon."""
        return self.reason.partition(':')[0]

    def __str__(self) -> str:
        return f'{self.file}, record {self.record}: {self.reason}'


def summarise(skipped: Sequence[SkippedRecord]) -> str:
    """Summarise for the log: the number of each kind, and the first three.

    >>> summarise([])
    'nothing skipped'
    """
    if not skipped:
        return 'nothing skipped'
    kinds = Counter(skip.kind for skip in skipped)
    counts = ', '.join(f'{count} x {kind}' for kind, count in kinds.items())
    listed = ''.join(f'\n  {skip}' for skip in skipped[:3])
    return f'skipped {counts} (all in `dataset.skipped`), the first:{listed}'
