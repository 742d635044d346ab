"""People of joined annotation files: kept apart, counted on, found again in other splits."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

from mmtbps.errors import BadValue

from .annotations import Identity, LocatedRecord

_SHOWN = 3


def number_people(located: Sequence[LocatedRecord], shared_ids: bool = False
                  ) -> list[LocatedRecord]:
    """Give every record its person, and people of different files different ids.

    Each file numbers its own people. A generated pair (with ``source``) belongs to the file of the
    image it was made from if its id stands there; otherwise it shows somebody new, numbered by its
    own file. Ids stay as they are unless they stand for others in an earlier file: then the later
    file's are counted on from the largest so far, those of all splits alike.

    Args:
        located: Records of all files and splits.
        shared_ids: All files number the same people.

    Returns:
        The records with ``identity`` and ``original``, their ``person_id`` perhaps counted on.

    Raises:
        BadValue: If an image stands in two files under one id, so that their ids are probably
            shared, and ``shared_ids`` does not say it.
    """
    files = list(dict.fromkeys(item.source.ann_file for item in located))
    originals = _Originals(located)
    people: dict[tuple, Identity] = {}  # one object a person
    named = []
    for item in located:
        original = originals.of(item)
        file = item.source.ann_file
        if shared_ids:
            file = files[0]
            original = original and Identity(files[0], original.id)
        elif original and (original.file, item.record.person_id) in originals.people:
            file = original.file
        key = file, item.record.person_id
        named.append(item._replace(identity=people.setdefault(key, Identity(*key)),
                                   original=original))
    if not shared_ids and len(files) > 1:
        _refuse_one_person_twice(named)
    shift = _shifts(people.values(), files)
    return [item if not shift[item.identity.file] else item._replace(record=replace(
        item.record, person_id=item.identity.id + shift[item.identity.file])) for item in named]


class _Originals:
    """The real people of all files, and those on images that pairs were made from."""

    def __init__(self, located: Sequence[LocatedRecord]) -> None:
        self.people = {(item.source.ann_file, item.record.person_id)
                       for item in located if item.record.source is None}
        self._images: dict[str, dict[Path, Identity | LocatedRecord]] = defaultdict(dict)
        asked = {item.record.source for item in located}
        # Captions told anew are made from the very picture they belong to: they name no other.
        named = [item for item in located
                 if item.record.image in asked and item.record.image != item.record.source]
        for item in sorted(named, key=lambda item: item.record.source is not None):
            shown = item if item.record.source is not None else Identity(
                item.source.ann_file, item.record.person_id)
            self._images[item.record.image].setdefault(item.source.ann_file, shown)

    def of(self, item: LocatedRecord, depth: int = 8) -> Identity | None:
        """Find the person on the image that a pair was made from, also by way of another pair."""
        shown = self._images.get(item.record.source)
        if item.record.source is None or not shown or not depth:
            return None
        found = shown.get(item.source.ann_file) or next(iter(shown.values()))
        return found if isinstance(found, Identity) else self.of(found, depth - 1)


def _refuse_one_person_twice(located: Iterable[LocatedRecord]) -> None:
    first: dict[str, LocatedRecord] = {}
    for item in located:
        earlier = first.setdefault(item.image_path, item)
        if (earlier.identity.id == item.identity.id
                and earlier.identity.file != item.identity.file):
            raise BadValue(
                f'{item.source.name}, record {item.number}: {item.record.image} is person '
                f'{item.identity.id}, as in {earlier.source.name}, record {earlier.number}. If '
                'both files number the same people, set shared_ids=True in the data set; '
                'otherwise give the image in one of them only')


def _shifts(people: Iterable[Identity], files: Sequence[Path]) -> dict[Path, int]:
    """Compute by how much the ids of each file are counted on."""
    ids = defaultdict(set)
    for person in people:
        ids[person.file].add(person.id)
    shift, taken = {}, set()
    for file in files:
        collides = not taken.isdisjoint(ids[file])
        shift[file] = 1 + max(taken) - min(ids[file]) if collides else 0
        taken |= {number + shift[file] for number in ids[file]}
    return shift


def count_ids_in_both(located: Iterable[LocatedRecord]) -> dict[tuple[str, str], int]:
    """Count the ids that stand in two files, for each two of those that number people.

    Args:
        located: Records of `number_people`.
    """
    ids = defaultdict(set)
    for item in located:
        if item.record.source is None or item.identity.file == item.source.ann_file:
            ids[item.source.name].add(item.identity.id)
    return {(first, second): count for first, second in combinations(ids, 2)
            if (count := len(ids[first] & ids[second]))}


def people_in(located: Iterable[LocatedRecord]) -> set[Identity]:
    """Return the people that records show, and those on the images they were made from."""
    return {person for item in located for person in (item.identity, item.original)} - {None}


def find_leaks(located: Sequence[LocatedRecord]) -> list[str]:
    """Find people and images that stand in two splits, in words.

    Args:
        located: Records of `number_people`, of all splits.
    """
    by_split = defaultdict(list)
    for item in located:
        by_split[item.record.split].append(item)
    leaks = []
    for first, second in combinations(by_split, 2):
        shared = people_in(by_split[first]) & people_in(by_split[second])
        if shared:
            leaks.append(f'{word_people(shared)} in split {first!r} and in split {second!r}')
        images = ({item.image_path for item in by_split[first]}
                  & {item.image_path for item in by_split[second]})
        if images:
            leaks.append(f'{len(images)} images in split {first!r} and in split {second!r}: '
                         f'{_first_few(images)}')
    return leaks


def word_people(people: set[Identity]) -> str:
    """Word a set of people: their number, and the first few with file and id.

    >>> word_people({Identity(Path('a.json'), 3)})
    '1 person (a.json id 3)'
    """
    shown = _first_few(f'{person.file.name} id {person.id}' for person in sorted(people))
    return f'{len(people)} {"person" if len(people) == 1 else "people"} ({shown})'


def _first_few(names: Iterable[str]) -> str:
    names = list(names)
    return ', '.join(names[:_SHOWN]) + (', ...' if len(names) > _SHOWN else '')
