"""Addition, removal and exchange of what a person wears or carries beside clothes."""

from collections.abc import Callable, Sequence

from mmtbps.lexicon import (
    AttributeReading,
    Family,
    WornItem,
    families,
    family_of,
    indefinite_article,
    read_attributes,
    write_type,
)
from mmtbps.lexicon.negations import is_negator
from mmtbps.lexicon.people import person_noun

from .attribute_change import AttributeChange, Rewording, indices_of, reword
from .removals import remove_item
from .rewording import TextEdit, exchange_name
from .same_garment import certain_items, find_items, has_word, suits_the_person

__all__ = ['accessory_changes', 'reword_accessory']

_PRONOUNS = {'He': frozenset({'he', 'his', 'him'}), 'She': frozenset({'she', 'her', 'hers'})}
_WEARING = frozenset({'wear', 'wears', 'wearing', 'worn'})
_PLACES = frozenset('on over around across in from hanging slung strapped'.split())
_BACKS = frozenset('back shoulder shoulders waist chest neck'.split())
# What the hands do already.
_HANDS = frozenset('hand hands arms pocket pockets holding holds carrying carries phone'.split())
_MAX_REMOVED = 3


def accessory_changes(captions: Sequence[str]) -> list[AttributeChange]:
    """List all that may be added to, removed from or exchanged in the captions of an image.

    >>> [(change.old, change.new) for change in accessory_changes(
    ...     ['A man with glasses.']) if change.noun == 'glasses']
    [('glasses', 'sunglasses'), ('glasses', '')]
    """
    readings = [read_attributes(caption) for caption in captions]
    types = {item.type for reading in readings for item in reading.items}
    found: dict[AttributeChange, None] = {}
    for reading in readings:
        for item in certain_items(reading, carried=True):
            family = family_of(item.type)
            if family is None or family.is_clothing:
                continue
            found.update(dict.fromkeys(
                AttributeChange('accessory', family.region, item.type, item.type, new)
                for new in (*family.others(item.type), '') if not new
                or not types & set(family.kinds[family.kind_of(new)])
                and suits_the_person(readings, new)))
    for family in families():
        free = not any(has_word(reading, family.hidden) or any(map(_near(family), reading.items))
                       for reading in readings)
        found.update(dict.fromkeys(
            AttributeChange('accessory', family.region, new, '', new) for new in family.add
            if free and suits_the_person(readings, new)))
    return list(found)


def reword_accessory(captions: Sequence[str], change: AttributeChange) -> list[Rewording | None]:
    """Write every caption after the change of a thing; ``None`` for one left out."""
    readings = [read_attributes(caption) for caption in captions]
    family = family_of(change.noun)
    if not change.old:
        return [_add(caption, reading, family, change.new)
                for caption, reading in zip(captions, readings, strict=True)]
    kin = frozenset(family.kinds[family.kind_of(change.noun)])
    found = find_items(readings, change.noun, _near(family),
                       kin if change.new else kin | family.fits_all,
                       family.fits_all if change.new else frozenset(), carried=True)
    return [None if items is None or has_word(reading, family.parts)
            or any(item.plural and not write_type(item.type, False).plural for item in items)
            else _exchange(caption, reading, items, change) if change.new
            else _remove(caption, reading, items)
            for caption, reading, items in zip(captions, readings, found, strict=True)]


def _near(family: Family) -> Callable[[WornItem], bool]:
    """Make a test for things worn where those of a family are."""
    names = {name for kind in family.kinds for name in kind}
    return lambda item: item.garment.region == family.region and (
        family.region != 'accessory' or item.type in names)


def _exchange(caption: str, reading: AttributeReading, items: Sequence[WornItem],
              change: AttributeChange) -> Rewording | None:
    if change.region == 'bag' and items and has_word(reading, _BACKS):
        return None
    edits: list[TextEdit] | None = []
    for item in items:
        before = [word.key for word in reading.words[max(item.first - 2, 0):item.first]]
        after = reading.words[item.last].key if item.last < len(reading.words) else ''
        # A backpack is worn, and on the back; a handbag is not.
        placed = change.region == 'bag' and (after in _PLACES or _WEARING & set(before))
        more = None if placed else exchange_name(caption, reading.words, item, change.new)
        edits = None if edits is None or more is None else edits + more
    return reword(caption, reading, items, edits)


def _remove(caption: str, reading: AttributeReading,
            items: Sequence[WornItem]) -> Rewording | None:
    changed = indices_of(reading, items)
    types = {item.type for item in items}
    text: str | None = caption
    for _ in range(_MAX_REMOVED):
        left = [item for item in reading.items if item.type in types]
        if not left:
            # "A bag, it is black": what would "it" be?
            refers = items and has_word(reading, frozenset({'it', 'its', 'which', 'them'}))
            return None if refers else Rewording(text, changed)
        text = remove_item(text, reading, left[-1])
        if text is None:
            return None
        reading = read_attributes(text)
    return None


def _add(caption: str, reading: AttributeReading, family: Family, new: str) -> Rewording | None:
    """Say in one more sentence that the person has something; ``None`` if that may be false."""
    busy = family.add[new] == 'carrying' and has_word(reading, _HANDS)
    if not reading.words or reading.reading.doubt or busy or has_word(reading, family.parts) or any(
            is_negator(word) for word in reading.words):
        return None
    subject = next((he for he, words in _PRONOUNS.items() if has_word(reading, words)), None)
    subject = subject or f'The {person_noun(reading.words) or "person"}'
    name, plural = write_type(new, plural=False)
    thing = name if plural else f'{indefinite_article(name)} {name}'
    sentence = f'{subject} is {family.add[new]} {thing}'
    text = caption.rstrip()
    ended = text[-1] in '.!'
    if text[0].islower():
        sentence = sentence[0].lower() + sentence[1:]
    sentence = sentence.upper() if caption.isupper() else sentence
    # In the style of its caption, which may end without a full stop.
    return Rewording(f'{text} {sentence}.' if ended else f'{text.rstrip(",;: ")}. {sentence}')
