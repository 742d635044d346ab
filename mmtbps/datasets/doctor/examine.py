"""Examination of a data set: all findings, the gravest first."""

from collections.abc import Callable, Iterator, Sequence

from mmtbps.datasets.annotations import LocatedRecord
from mmtbps.datasets.record_checks import caption_fault

from .caption_findings import find_in_captions
from .findings import Finding
from .kinds import KINDS
from .people_findings import find_in_people
from .picture_findings import find_in_pictures
from .record_findings import find_in_records

__all__ = ['examine']


def examine(located: Sequence[LocatedRecord],
            track: Callable[[Iterator, int], Iterator] = lambda items, total: items,
            fault_of: Callable[[str], str | None] = caption_fault) -> list[Finding]:
    """Find what training or a test should not meet.

    Every picture is decoded once; pictures are held against each other by a hash of 320 bits, in
    40 bytes each.

    Args:
        located: records of a data set, of all splits, as `TBPSDataset.read_records` returns them.
        track: shows progress over the pictures, of their iterator and number.
        fault_of: says what is wrong with a caption, as `TBPSDataset.fault_of` does.

    Raises:
        UnreadableImage: the file of a picture is there and cannot be read, after some pauses
            neither: nothing is known of it.
    """
    found = [*find_in_pictures(located, track), *find_in_people(located),
             *find_in_captions(located, fault_of), *find_in_records(located)]
    order = list(KINDS)
    return sorted(found, key=lambda finding: order.index(finding.kind))
