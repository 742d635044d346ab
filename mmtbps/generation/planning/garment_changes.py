"""Exchange of the type of a garment in captions: a shirt becomes a hoodie."""

from collections.abc import Sequence

from mmtbps.lexicon import (
    AttributeReading,
    Family,
    WornItem,
    family_of,
    names_construction,
    read_attributes,
)

from .attribute_change import AttributeChange, Rewording, reword
from .rewording import TextEdit, exchange_name
from .same_garment import certain_items, find_items, suits_the_person, worn_near

__all__ = ['garment_changes', 'reword_garment']


def garment_changes(captions: Sequence[str]) -> list[AttributeChange]:
    """List every type that a garment of the captions may change into.

    >>> [change.new for change in garment_changes(['A man in blue jeans.'])]
    ['sweatpants', 'dress pants']
    """
    readings = [read_attributes(caption) for caption in captions]
    types = {item.type for reading in readings for item in reading.items}
    found: dict[AttributeChange, None] = {}
    for reading in readings:
        for item in certain_items(reading):
            family = family_of(item.type)
            if family is None or not family.is_clothing:
                continue
            found.update(dict.fromkeys(
                AttributeChange('garment', family.region, item.type, item.type, new)
                for new in family.others(item.type)
                if not types & set(family.kinds[family.kind_of(new)])
                and suits_the_person(readings, new)))
    return list(found)


def reword_garment(captions: Sequence[str], change: AttributeChange) -> list[Rewording | None]:
    """Write every caption after a garment has changed its type; ``None`` for one left out."""
    family = family_of(change.noun)
    readings = [read_attributes(caption) for caption in captions]
    found = find_items(readings, change.noun, worn_near(family.region),
                       frozenset(family.kinds[family.kind_of(change.noun)]), family.fits_all)
    return [None if items is None or names_construction(reading.words, family.region) else reword(
                caption, reading, items, _edits(caption, reading, items, family, change.new))
            for caption, reading, items in zip(captions, readings, found, strict=True)]


def _edits(caption: str, reading: AttributeReading, items: Sequence[WornItem], family: Family,
           new: str) -> list[TextEdit] | None:
    edits: list[TextEdit] = []
    near = worn_near('full')
    if family.region == 'full' and items and sum(map(near, reading.items)) > len(items):
        return None  # "a suit with a black jacket": the jacket is the suit's
    for item in items:
        exchanged = exchange_name(caption, reading.words, item, new)
        if exchanged is None:
            return None
        edits += exchanged
    return edits
