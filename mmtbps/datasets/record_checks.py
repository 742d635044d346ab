"""Checks of records: unknown splits, records that stand twice."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from mmtbps.records import RecordError

from .annotations import LocatedRecord


def check_splits(located: Iterable[LocatedRecord], known: Sequence[str]) -> None:
    """Refuse records of a split that there is not, which nobody would ever read.

    Args:
        located: Records of all splits.
        known: Names of the splits.

    Raises:
        RecordError: Naming each unknown split, its records and the split that is probably meant.
    """
    unknown = defaultdict(list)
    for item in located:
        if item.record.split not in known:
            unknown[item.source.ann_file, item.record.split].append(item.number)
    if not unknown:
        return
    found = '; '.join(
        f'{path}, record {numbers[0]}: split {split!r}{_meant(split, known)} '
        f'({len(numbers)} records have it)' for (path, split), numbers in unknown.items())
    raise RecordError(f'{found}. The splits are {", ".join(map(repr, known))}')


def _meant(split: str, known: Sequence[str]) -> str:
    near = get_close_matches(split.strip().lower(), known, 1, cutoff=0.4)
    return f' is not known, write {near[0]!r}' if near else ' is not known'


def find_repeated(located: Iterable[LocatedRecord]) -> dict[tuple, LocatedRecord]:
    """Find records that say what an earlier one says.

    Returns:
        Annotation file and number of each -> the earlier record.
    """
    first, repeated = {}, {}
    for item in located:
        record = item.record
        key = (item.image_path, record.person_id, record.split, record.source,
               tuple(map(repr, record.captions)))
        earlier = first.setdefault(key, item)
        if earlier is not item:
            repeated[item.source.ann_file, item.number] = earlier
    return repeated
