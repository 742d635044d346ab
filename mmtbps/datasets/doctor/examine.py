"""Examination of a data set: all findings, the gravest first."""

from collections.abc import Callable, Iterator, Sequence

from mmtbps.datasets.annotations import LocatedRecord

from .caption_findings import find_in_captions
from .findings import Finding
from .kinds import KINDS
from .people_findings import find_in_people
from .picture_findings import find_in_pictures

__all__ = ['examine']


def examine(located: Sequence[LocatedRecord],
            track: Callable[[Iterator, int], Iterator] = lambda items, total: items
            ) -> list[Finding]:
    """Find what training or a test should not meet.

    Every picture is decoded once; pictures are held against each other by a hash of 320 bits, in
    40 bytes each.

    Args:
        located: records of a data set, of all splits, as `TBPSDataset.read_records` returns them.
        track: shows progress over the pictures, of their iterator and number.
    """
    found = [*find_in_pictures(located, track), *find_in_people(located),
             *find_in_captions(located)]
    order = list(KINDS)
    return sorted(found, key=lambda finding: order.index(finding.kind))
