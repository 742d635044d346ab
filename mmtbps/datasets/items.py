"""Items of a data set, made of its records: pairs to train with, images to test with."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from .annotations import Identity, LocatedRecord


class Items(NamedTuple):
    """Items, annotation file and record of each image, and who each ``person_id`` is."""

    items: list[dict]
    origins: list[tuple[str, int]]
    people: dict[int, Identity]


def pair_items(located: Sequence[LocatedRecord], image_captions: bool = False) -> Items:
    """Make one item of each (image, caption), with people relabelled to 0..C-1.

    An item has ``pair_weight`` where its record has one.

    Args:
        located: Usable records.
        image_captions: Give each item all captions of its image, of all records of that person
            which name it.
    """
    told = _captions_by_image(located) if image_captions else {}
    raw_ids = sorted({item.record.person_id for item in located})
    label = {raw: new for new, raw in enumerate(raw_ids)}
    original = {item.identity: item.record.person_id for item in located
                if item.record.source is None}
    first: dict[str, LocatedRecord] = {}
    image_id: dict[str, int] = {}
    items = []
    for item in located:
        path = item.image_path
        first.setdefault(path, item)
        image = image_id.setdefault(path, len(image_id))
        person = item.record.person_id
        family = original.get(item.original, person)
        weight = item.record.pair_weight
        further = {} if weight is None else dict(pair_weight=weight)
        further |= dict(image_captions=told[path, person]) if image_captions else {}
        items += [dict(img_path=path, caption=caption, image_id=image,
                       person_id=label[person], family_id=label[family], **further)
                  for caption in item.record.captions]
    return Items(items, [(item.source.name, item.number) for item in first.values()],
                 {label[raw]: person for raw, person in _people_of(located).items()})


def image_items(located: Sequence[LocatedRecord],
                skip: Callable[[LocatedRecord, str], None]) -> Items:
    """Make one item of each image with all its captions, perhaps none.

    Args:
        located: Usable records.
        skip: Called with a record that is left out, and the reason.
    """
    items: dict[str, dict] = {}
    origins = []
    for item in located:
        path, person = item.image_path, item.record.person_id
        if path not in items:
            items[path] = dict(img_path=path, captions=[], person_id=person, image_id=len(items))
            origins.append((item.source.name, item.number))
        if items[path]['person_id'] != person:
            skip(item, f'image of two people: {path} already shows person '
                       f'{items[path]["person_id"]}, here it shows {person}')
            continue
        items[path]['captions'] += item.record.captions
        if item.query_paths is not None:
            items[path].setdefault('query_img_paths', []).extend(item.query_paths)
    return Items(list(items.values()), origins, _people_of(located))


def _captions_by_image(located: Sequence[LocatedRecord]
                       ) -> dict[tuple[str, int], tuple[str, ...]]:
    """Collect the captions of each image and person."""
    told: dict[tuple[str, int], dict[str, None]] = {}
    for item in located:
        told.setdefault((item.image_path, item.record.person_id), {}).update(
            dict.fromkeys(item.record.captions))
    return {shown: tuple(captions) for shown, captions in told.items()}


def _people_of(located: Sequence[LocatedRecord]) -> dict[int, Identity]:
    """Return the person of each id, files under one name whatever path leads there."""
    people = {item.record.person_id: item.identity for item in located}
    real = {file: file.resolve() for file in {person.file for person in people.values()}}
    return {raw: Identity(real[person.file], person.id) for raw, person in people.items()}
