"""Types of garments and accessories that can take each other's place, and patterns of cloth."""

from collections.abc import Mapping
from functools import cache, lru_cache
from types import MappingProxyType
from typing import NamedTuple

from .vocabulary import garments, read_table

__all__ = ['Family', 'TypeName', 'families', 'family_of', 'garment_type', 'pattern_words',
           'type_names', 'write_type']

_CLOTHES = frozenset({'upper', 'lower', 'full', 'shoes'})


class TypeName(NamedTuple):
    """A form of the name of a type of garment: ``'trousers'`` is one of ``'pants'``."""

    type: str
    plural: bool


class Family(NamedTuple):
    """Types of things worn at one place of the body that cover the same of it.

    Args:
        region: Their `Garment.region`.
        fits_all: Types whose name is true of every one: ``'bag'`` of a backpack.
        kinds: The types; those of one kind are often called by each other's name.
        new: Types of each kind that may take the place of those of another.
        add: Types that may be put on a person who has none of the family, each with the word
            between the two (``'wearing'``).
        parts: Words for pieces of it, for its absence, or for what only one type is used for.
        hidden: Words of a caption that tells why it could not be seen.
    """

    region: str
    fits_all: frozenset[str]
    kinds: tuple[tuple[str, ...], ...]
    new: tuple[tuple[str, ...], ...]
    add: Mapping[str, str]
    parts: frozenset[str]
    hidden: frozenset[str]

    @property
    def is_clothing(self) -> bool:
        """True for garments, which are only exchanged, not put on or taken off."""
        return self.region in _CLOTHES

    @property
    def names(self) -> frozenset[str]:
        """All types, and those whose name is true of every one."""
        return self.fits_all.union(*self.kinds)

    def kind_of(self, type_: str) -> int | None:
        """Return the index of the kind that a type is of; ``None`` if it is of none."""
        return next((i for i, names in enumerate(self.kinds) if type_ in names), None)

    def others(self, type_: str) -> tuple[str, ...]:
        """List the types that may take the place of one, and are certainly not it."""
        kind = self.kind_of(type_)
        return () if kind is None else tuple(
            new for i, names in enumerate(self.new) if i != kind
            for new in names if new not in self.fits_all)


@cache
def families() -> tuple[Family, ...]:
    """List the families of exchangeable types, clothes first.

    >>> [family.kinds for family in families() if family.region == 'full']
    [(('suit',), ('tracksuit',), ('jumpsuit',))]
    """
    return tuple(Family(
        entry['region'], frozenset(entry['fits_all']),
        tuple(tuple(kind['names']) for kind in entry['kinds']),
        tuple(tuple(kind['new']) for kind in entry['kinds']),
        entry.get('add', {}), frozenset(entry.get('parts', ())),
        frozenset(entry.get('hidden', ())))
        for entry in read_table('attributes')['families'])


@lru_cache(maxsize=1024)
def family_of(type_: str) -> Family | None:
    """Return the family that a type is exchanged in; ``None`` if it is in none.

    >>> family_of('jeans').others('jeans')
    ('sweatpants', 'dress pants', 'leggings')
    """
    return next((family for family in families() if family.kind_of(type_) is not None), None)


@cache
def type_names() -> Mapping[str, TypeName]:
    """Map every name of a garment, of one word or several, to its type and number.

    >>> type_names()['trousers'], type_names()['tee shirts']
    (TypeName(type='pants', plural=True), TypeName(type='t-shirt', plural=True))
    """
    table: dict[str, TypeName] = {}
    for garment in dict.fromkeys(garments().values()):
        _enter(table, (garment.singular, garment.plural), garment.singular or garment.plural)
    for members in read_table('synonyms')['nouns']:
        forms = [form for member in members for form in member if form is not None]
        if any(form in garments() or form.split()[-1] in garments() for form in forms):
            for member in members:
                _enter(table, member, members[0][0] or members[0][1])
    for singular, plural in read_table('attributes')['names'].items():
        _enter(table, (singular, plural), singular)
    for form, type_ in read_table('attributes')['same'].items():
        table[form] = TypeName(type_, plural=False)
    return MappingProxyType(table)


def garment_type(noun: str) -> str:
    """Return the one name of a garment for all its forms and synonyms.

    >>> garment_type('shirts'), garment_type('trousers'), garment_type('rucksack')
    ('shirt', 'pants', 'backpack')
    """
    name = type_names().get(noun)
    return noun if name is None else name.type


def write_type(type_: str, plural: bool) -> TypeName:
    """Write a type in the number asked for, or in the only one that it has.

    >>> write_type('hoodie', plural=True), write_type('jeans', plural=False)
    (TypeName(type='hoodies', plural=True), TypeName(type='jeans', plural=True))
    """
    forms = [form for form, name in type_names().items()
             if name.type == type_ and form not in read_table('attributes')['same']]
    numbers = {type_names()[form].plural for form in forms}
    plural = plural if plural in numbers else not plural
    if type_names()[type_].plural == plural:
        return TypeName(type_, plural)
    return TypeName(next(form for form in forms if type_names()[form].plural == plural), plural)


@cache
def pattern_words() -> Mapping[str, str]:
    """Map every adjective and noun of a pattern to its name; ``''`` for patterns without one.

    >>> pattern_words()['tartan'], pattern_words()['stripes'], pattern_words()['logo']
    ('plaid', 'striped', '')
    """
    table = read_table('attributes')
    found = dict.fromkeys(table['other_patterns'], '')
    for name, entry in table['patterns'].items():
        for adjective in entry['adjectives']:
            found.update(dict.fromkeys(
                (adjective, *(f'{adjective} {noun}' for noun in table['pattern_nouns'])), name))
        found.update(dict.fromkeys(entry['nouns'], name))
    return MappingProxyType(found)


def _enter(table: dict[str, TypeName], forms: tuple[str | None, ...] | list[str | None],
           type_: str) -> None:
    for form, plural in zip(forms, (False, True), strict=True):
        if form is not None:
            table[form] = TypeName(type_, plural)
