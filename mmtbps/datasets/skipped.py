"""Records that a data set leaves out, and their summary."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from mmtbps.errors import BadValue, UserError


class UndecodableImage(UserError, OSError):
    """An image that cannot be decoded where it must not be left out."""


class UnreadableImage(UserError, OSError):
    """An image whose file was there and cannot be read: its disk or mount is away."""


class TooManyBroken(BadValue):
    """More undecodable images than may be left out."""


class ImagesLeftOut(BadValue):
    """A gallery that lacks images, in which a search is easier than in the whole one."""


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


def word_left_out(total: int, missing: int, undecodable: int) -> str:
    """Word how many images of a split are left out; empty if none is.

    >>> word_left_out(16, 8, 0)
    '8 of 16 images left out (missing)'
    >>> word_left_out(16, 1, 2)
    '3 of 16 images left out (1 missing, 2 undecodable)'
    """
    counts = {kind: count for kind, count in dict(
        missing=missing, undecodable=undecodable).items() if count}
    if not counts:
        return ''
    why = ', '.join(counts) if len(counts) == 1 else ', '.join(
        f'{count} {kind}' for kind, count in counts.items())
    return f'{sum(counts.values())} of {total} images left out ({why})'
