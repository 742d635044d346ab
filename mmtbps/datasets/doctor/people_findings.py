"""Findings about people: gaps in their ids, one picture alone, two splits."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from mmtbps.datasets.annotations import LocatedRecord
from mmtbps.datasets.people import people_in

from .findings import Finding, place_of

__all__ = ['find_in_people', 'word_gaps']

_SHOWN = 5


def word_gaps(ids: Sequence[int]) -> tuple[int, str]:
    """Count the numbers that are missing between the first and the last id, and word the first.

    Example:
        >>> word_gaps([1, 2, 5, 9])
        (5, '3-4, 6-8')
    """
    ids = sorted(set(ids))
    gaps = [(low + 1, high - 1) for low, high in zip(ids, ids[1:], strict=False) if high > low + 1]
    words = [f'{low}-{high}' if high > low else str(low) for low, high in gaps[:_SHOWN]]
    return (sum(high - low + 1 for low, high in gaps),
            ', '.join([*words, *(['...'] if len(gaps) > _SHOWN else [])]))


def find_in_people(located: Sequence[LocatedRecord]) -> Iterator[Finding]:
    """Find gaps in the ids of a file, people with one picture, and people of two splits.

    A generated pair shows two people: its own, and the one on the picture it was made from.

    Args:
        located: records of `mmtbps.datasets.people.number_people`, of all splits.
    """
    files, pictures, splits = defaultdict(list), defaultdict(dict), defaultdict(dict)
    for item in located:
        if item.record.query_images is None:  # instances, of which most answer nothing
            files[item.identity.file].append(item.identity.id)
            pictures[item.identity].setdefault(item.image_path, item)
        for person in people_in([item]):
            splits[person].setdefault(item.record.split, item)
    for file, ids in files.items():
        missing, words = word_gaps(ids)
        if missing:
            yield Finding('id gap', f'{file.name}: {missing} ids between {min(ids)} and {max(ids)} '
                          f'are nobody: {words}')
    alone = [(place_of(*items.values()), ) for items in pictures.values() if len(items) == 1]
    if alone and len(alone) < len(pictures):  # a set that has no ids has one picture each
        yield Finding('one picture', f'{len(alone)} of {len(pictures)} people have one picture '
                      'alone: nothing else of them can be found', tuple(alone))
    leaks = tuple(tuple(place_of(item) for item in _test_first(items)) for items in splits.values()
                  if len(items) > 1)
    if leaks:
        yield Finding('person in two splits', f'{len(leaks)} people are in more than one split: '
                      'a test of people that were trained on says nothing', leaks)


def _test_first(items: dict[str, LocatedRecord]) -> list[LocatedRecord]:
    order = ('test', 'val', 'train')
    return [items[split] for split in (*order, *(s for s in items if s not in order))
            if split in items]
