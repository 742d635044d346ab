"""Checks of records: unknown splits, records that stand twice, published sizes."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from mmtbps.records import PairRecord, RecordError

from .annotations import LocatedRecord

#: A caption of more is a mistake of the file, and minutes of work for each pass over the data.
MOST_LETTERS = 20_000


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
    of_image, repeated = defaultdict(list), {}
    for item in located:
        others = of_image[item.record.image]
        for earlier in others:
            if earlier.record == item.record and earlier.image_path == item.image_path:
                repeated[item.source.ann_file, item.number] = earlier
                break
        else:
            others.append(item)
    return repeated


def caption_fault(caption: str) -> str | None:
    """Say what is wrong with a caption that no tokenizer can, or should, read.

    >>> caption_fault('A man in red.'), caption_fault('A \\ud800 man.')
    (None, 'caption with half a character')
    """
    if len(caption) > MOST_LETTERS:
        return f'caption of more than {MOST_LETTERS:,} letters'
    try:
        caption.encode()
    except UnicodeEncodeError:
        return 'caption with half a character'
    return None


def count_shared_captions(located: Iterable[LocatedRecord]) -> int:
    """Count the captions that stand at more than one person: such a query has no one answer.

    Args:
        located: Records of :func:`~mmtbps.datasets.people.number_people`.
    """
    owners = defaultdict(set)
    for item in located:
        for caption in filter(None, (text.strip() for text in item.record.captions
                                     if isinstance(text, str))):
            owners[caption].add(item.identity)
    return sum(len(people) > 1 for people in owners.values())


def count_sizes(records: Sequence[PairRecord], image_a_record: bool = True
                ) -> tuple[int, int, int]:
    """Count people, images and captions.

    Args:
        records: Of a split.
        image_a_record: Count a record as an image, as published sizes do.
    """
    images = len(records) if image_a_record else len({record.image for record in records})
    return (len({record.person_id for record in records}), images,
            sum(len(record.captions) for record in records))


def judge_sizes(located: Iterable[LocatedRecord], published: Mapping[str, tuple[int, int, int]],
                total: tuple[int, int, int] | None
                ) -> list[tuple[str, tuple[int, int, int], tuple[int, int, int]]]:
    """Count what the published files of each split hold together, and what they should hold.

    Args:
        located: Records of all splits.
        published: People, images and captions of each split, where that is known.
        total: The same of all splits together.

    Returns:
        Name of the split (``'all'`` for all of them), size and published size.
    """
    by_split = defaultdict(list)
    for item in located:
        if not item.source.has_lines:
            by_split[item.record.split].append(item.record)
    judged = [(split, count_sizes(by_split[split]), size) for split, size in published.items()
              if by_split[split]]
    everything = [record for records in by_split.values() for record in records]
    return judged + ([('all', count_sizes(everything), total)] if total and everything else [])


def compare_published(located: Sequence[LocatedRecord],
                      published: tuple[int, int, int] | None) -> str:
    """Word the published size of a split that has another one; empty if there is none, or equal.

    Args:
        located: Records of the split.
        published: People, images and captions.
    """
    ours = [item.record for item in located if not item.source.has_lines]
    if published is None or len(ours) < len(located) or count_sizes(ours) == published:
        return ''
    return 'published with {:,} people, {:,} images, {:,} captions'.format(*published)
