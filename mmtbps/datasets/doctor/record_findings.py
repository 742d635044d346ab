"""Findings in records as a whole: those that stand twice."""

from collections.abc import Iterator, Sequence

from mmtbps.datasets.annotations import LocatedRecord
from mmtbps.datasets.record_checks import find_repeated

from .findings import Finding, place_of

__all__ = ['find_in_records']


def find_in_records(located: Sequence[LocatedRecord]) -> Iterator[Finding]:
    """Find records that say what an earlier one says.

    Args:
        located: records of all splits.
    """
    repeated = find_repeated(located)
    if repeated:
        groups = tuple((place_of(repeated[key]), place_of(item)) for item in located
                       if (key := (item.source.ann_file, item.number)) in repeated)
        yield Finding('record twice', f'{len(groups)} records say what an earlier one says', groups)
