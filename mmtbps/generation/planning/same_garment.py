"""Items of the captions of an image that are one and the same garment, as far as can be told."""

from collections.abc import Callable, Sequence, Set

from mmtbps.lexicon import AttributeReading, Word, WornItem, unknown_words
from mmtbps.lexicon.grammar import COPULAS, RELATIVES
from mmtbps.lexicon.vocabulary import read_table

from .rewording import suits_other_types

__all__ = ['certain_items', 'find_items', 'has_word', 'suits_the_person', 'worn_near']

#: Garments of these regions cover, or hide, each other.
_OVERLAPS = {'upper': ('upper', 'full'), 'lower': ('lower', 'full'),
             'full': ('upper', 'lower', 'full')}
_ABSENT = frozenset({'negated', 'not worn'})
_DETERMINERS = frozenset('a an the his her their'.split())
_PLACES = frozenset('on over in around across at under'.split())
_HUNG = frozenset('slung hanging draped hangs dangling'.split())
_CARRYING = frozenset('hold holds holding held carry carries carrying carried clutches clutching '
                      'gripping grips toting totes'.split())
_ONE_MORE = frozenset('a an another one two second other more'.split())
_PERSONAL = {'male': frozenset({'he', 'his', 'him'}), 'female': frozenset({'she', 'her', 'hers'})}


def certain_items(reading: AttributeReading, carried: bool = False) -> list[WornItem]:
    """List what a caption certainly says to be worn, or also carried."""
    if reading.reading.doubt is not None:
        return []
    return [item for item in reading.items if _is_certain(reading.words, item, carried)]


def worn_near(region: str) -> Callable[[WornItem], bool]:
    """Make a test for garments that cover, or hide, one of a region."""
    regions = _OVERLAPS.get(region, (region,))
    every = frozenset(read_table('attributes')['all_worn'])
    return lambda item: item.garment.region in regions and item.type not in every


def find_items(readings: Sequence[AttributeReading], type_: str,
               near: Callable[[WornItem], bool], kin: Set[str] = frozenset(),
               fits_all: Set[str] = frozenset(),
               carried: bool = False) -> list[tuple[WornItem, ...] | None]:
    """Find a garment in each caption; ``None`` where it is uncertain what is said of it.

    A caption that calls the only garment there by a word of ``kin`` means the same one, unless the
    other captions speak of several.

    Args:
        readings: The captions of an image.
        type_: The garment's type, as `garment_type` says it.
        near: Whether an item is worn where the garment is.
        kin: Types that people mistake for it, or mean it by.
        fits_all: Types that say nothing of it, where nothing more is said of them.
        carried: Whether what is held or carried counts.
    """
    naming = [reading for reading in readings if any(i.type == type_ for i in reading.items)]
    others = {i.type for reading in naming for i in reading.items if near(i) and i.type != type_}
    colors = {i.bases for reading in naming for i in reading.items if i.type == type_ and i.bases}
    return [_find(reading, type_, near, others, None if others else kin, fits_all, colors, carried)
            for reading in readings]


def _find(reading: AttributeReading, type_: str, near: Callable[[WornItem], bool],
          others: Set[str], kin: Set[str] | None, fits_all: Set[str],
          colors: Set[tuple[str, ...]], carried: bool) -> tuple[WornItem, ...] | None:
    if reading.reading.doubt is not None:
        return None
    named = tuple(i for i in reading.items if i.type == type_)
    if not named:
        around = [i for i in reading.items if near(i) and i.type not in others
                  # "Pants" are true of jeans and sweatpants, "skinny pants" are not.
                  and not (i.type in fits_all and suits_other_types(reading.words, i))
                  and not (i.garment.doubt in _ABSENT and not i.bases and not carried)]
        if around:
            only = len(around) == 1 and kin is not None and around[0].type in kin
            if not only or (colors and around[0].bases and around[0].bases not in colors):
                return None
            named = tuple(around)
        elif not any(near(i) for i in reading.items) and unknown_words(reading.words):
            return None  # an unknown word may be its name
    certain = all(_is_certain(reading.words, i, carried) for i in named)
    return named if certain and not _are_several(reading.words, named) else None


def _is_certain(words: Sequence[Word], item: WornItem, carried: bool) -> bool:
    """Tell whether an item is worn or, where that counts, carried: not "next to a bag"."""
    after = [word.key for word in words[item.last:item.last + 5]]
    if after[:1] == ['of'] and after[1:2] and after[1] in _DETERMINERS:
        return False  # "the top of his coat"
    if item.garment.doubt != 'not worn' or not carried:
        return item.garment.doubt is None
    reading, before = read_table('reading'), item.first - 1
    before -= before > 0 and words[before].key in _DETERMINERS
    if before >= 0 and words[before].key in reading['near'] or (
            before > 0 and words[before].key == 'of'):
        return False
    while after and after[0] in COPULAS | RELATIVES:
        after.pop(0)
    if after and (after[0] in reading['carried'] and after[0] not in _HUNG or after[0] in _PLACES
                  and not set(after) & set(read_table('attributes')['body_places'])):
        return False
    handled = [word.key for word in words[:item.first] if word.key in reading['holding']]
    return not handled or handled[-1] in _CARRYING


def _are_several(words: Sequence[Word], named: Sequence[WornItem]) -> bool:
    """Tell whether items of one type may be two: "a red shirt under a blue shirt"."""
    if len({i.bases for i in named if i.bases}) > 1:
        return True
    return any(i.first and words[i.first - 1].key in _ONE_MORE for i in named[1:]) or any(
        'two' in (word.key for word in words[max(i.first - 2, 0):i.first]) for i in named)


def has_word(reading: AttributeReading, words: Set[str]) -> bool:
    """Tell whether a caption has one of some words."""
    return any(word.key in words for word in reading.words)


def suits_the_person(readings: Sequence[AttributeReading], type_: str) -> bool:
    """Tell whether a type is not one that people of the other sex, only, are said to wear."""
    persons, by_gender = read_table('reading')['persons'], read_table('attributes')['by_gender']
    for gender, other in (('female', 'male'), ('male', 'female')):
        spoken = _PERSONAL[other] | set(persons[other])
        if type_ in by_gender[gender] and any(has_word(reading, spoken) for reading in readings):
            return False
    return True
