"""Words of the lexicon: JSON data, loaded once and indexed by surface form.

Every look-up is case-insensitive and answers for one *surface form*, a word or
phrase exactly as it is written (``'jeans'``, ``'navy blue'``, ``'tee-shirt'``).
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import NamedTuple

# Spelt with a vowel but spoken with a consonant, and the reverse.
_SPOKEN_CONSONANT = re.compile(r'(?:uni(?![nd])|eu|one\b|once\b|us[aeiu]|u\b)')
_SPOKEN_VOWEL = re.compile(r'(?:[aeiou]|hour|honest|heir|8|11\b|18\b|x-)')


class Color(NamedTuple):
    """One of the twelve basic colors.

    Args:
        name: The basic term, American spelling (``'gray'``).
        rgb: sRGB anchor, 0-255.
        names: Every other term that means a kind of this color, compounds
            included (``'navy'``, ``'sky blue'``).
    """

    name: str
    rgb: tuple[int, int, int]
    names: tuple[str, ...]


class Garment(NamedTuple):
    """A noun that a color word may describe.

    Args:
        singular: ``None`` where there is only a plural (``'jeans'``).
        plural: ``None`` where there is no plural (``'clothing'``).
        region: Where it is worn: ``upper``, ``lower``, ``full``, ``shoes``,
            ``hat``, ``bag``, ``accessory``; for details ``part`` (of a
            garment) or ``body``.
    """

    singular: str | None
    plural: str | None
    region: str

    @property
    def article(self) -> str | None:
        """``'a'`` or ``'an'``; ``None`` for what cannot be counted one by one."""
        if self.singular is None or self.plural is None:
            return None
        return indefinite_article(self.singular)


@cache
def colors() -> Mapping[str, Color]:
    """Map every color term to its basic color.

    >>> colors()['navy blue'].name
    'blue'
    >>> sorted({color.name for color in colors().values()})[:3]
    ['beige', 'black', 'blue']
    """
    table: dict[str, Color] = {}
    for name, entry in read_table('colors')['bases'].items():
        color = Color(name, tuple(entry['rgb']), tuple(entry['names']))
        table.update(dict.fromkeys((name, *color.names), color))
    return MappingProxyType(table)


@cache
def garments() -> Mapping[str, Garment]:
    """Map every word for something worn or carried to its entry.

    >>> garments()['scarves'].singular, garments()['scarves'].region
    ('scarf', 'accessory')
    >>> garments()['umbrella'].article, garments()['jeans'].article
    ('an', None)
    """
    return _index(read_table('garments')['garments'])


def garment_name(noun: str) -> str:
    """Return the one name of a garment for all its forms.

    >>> garment_name('shirts'), garment_name('jeans')
    ('shirt', 'jeans')
    """
    garment = garments().get(noun)
    return noun if garment is None else garment.singular or garment.plural


@cache
def details() -> Mapping[str, Garment]:
    """List nouns that take a color but are no garment: stripes, soles, hair.

    >>> details()['stripes'].region, details()['hair'].region
    ('part', 'body')
    """
    return _index(read_table('garments')['details'])


def synonyms(phrase: str) -> tuple[str, ...]:
    """List words that may stand for ``phrase`` in any caption, same number and form.

    The relation is symmetric and transitive: the terms of one group replace
    each other freely.

    >>> synonyms('Women')
    ('ladies',)
    >>> synonyms('lamp')
    ()
    """
    key = phrase.lower()
    return tuple(term for term in synonym_table().get(key, ()) if term != key)


@cache
def synonym_table() -> Mapping[str, tuple[str, ...]]:
    """Map each term to its whole group; ``fixed`` phrases map to an empty group.

    A fixed phrase shields the words in it: ``'mirror image'`` must not become
    ``'mirror photo'``.
    """
    table: dict[str, tuple[str, ...]] = {}
    for group in synonym_groups():
        table.update(dict.fromkeys(group, group))
    table.update(dict.fromkeys(read_table('synonyms')['fixed'], ()))
    return MappingProxyType(table)


def synonym_groups() -> Iterator[tuple[str, ...]]:
    """List all groups of at least two terms; a noun gives one group for each number."""
    for kind, groups in read_table('synonyms').items():
        if kind == 'nouns':
            for members in groups:
                for forms in zip(*members, strict=True):
                    group = tuple(form for form in forms if form is not None)
                    if len(group) > 1:
                        yield group
        elif kind != 'fixed':
            yield from map(tuple, groups)


def indefinite_article(phrase: str) -> str:
    """Choose ``'a'`` or ``'an'`` by the sound of the first word.

    >>> [indefinite_article(p) for p in ('orange bag', 'uniform', 'umbrella', 'one-piece suit')]
    ['an', 'a', 'an', 'a']
    """
    key = phrase.lower()
    return 'an' if _SPOKEN_VOWEL.match(key) and not _SPOKEN_CONSONANT.match(key) else 'a'


@cache
def read_table(name: str) -> dict:
    """Read the raw content of ``{name}.json`` beside this file; treat it as read-only."""
    return json.loads(files(__package__).joinpath(f'{name}.json').read_text(encoding='utf-8'))


def _index(regions: Mapping[str, list]) -> Mapping[str, Garment]:
    table: dict[str, Garment] = {}
    for region, entries in regions.items():
        for singular, plural in entries:
            garment = Garment(singular, plural, region)
            table.update((form, garment) for form in (singular, plural) if form is not None)
    return MappingProxyType(table)
