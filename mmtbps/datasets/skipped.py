"""What a data set leaves out, and how it says so."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple


class Skip(NamedTuple):
    """Something left out of a data set: annotation file, record (from 1) and ``kind: detail``."""

    file: str
    record: int
    reason: str

    @property
    def kind(self) -> str:
        return self.reason.partition(':')[0]

    def __str__(self) -> str:
        return f'{self.file}, record {self.record}: {self.reason}'


def summarise(skipped: Sequence[Skip]) -> str:
    """One phrase for the log: how many of which kind, and the first three.

    >>> summarise([])
    'nothing skipped'
    """
    if not skipped:
        return 'nothing skipped'
    kinds = Counter(skip.kind for skip in skipped)
    counts = ', '.join(f'{count} x {kind}' for kind, count in kinds.items())
    listed = ''.join(f'\n  {skip}' for skip in skipped[:3])
    return f'skipped {counts} (all in `dataset.skipped`), the first:{listed}'
