"""Findings in captions: empty, twice, beyond ASCII, of several people."""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from mmtbps.datasets.annotations import LocatedRecord

from .findings import Finding, place_of

__all__ = ['PLAIN_SIGNS', 'find_in_captions', 'plain_text']

#: Signs of typesetters, and what is on a keyboard.
PLAIN_SIGNS = {'\u2018': "'", '\u2019': "'", '\u201c': '"', '\u201d': '"', '\u2013': '-',
               '\u2014': '-', '\u2026': '...', '\u00a0': ' ', '\u200b': '', '\ufeff': '',
               '\u00ad': ''}
_TABLE = str.maketrans(PLAIN_SIGNS)


def plain_text(caption: str) -> str:
    """Write a caption with the signs of a keyboard, without blanks that mean nothing.

    Letters of other scripts stay.

    Example:
        >>> plain_text(' A man\u2019s  \u201cred\u201d coat \u2026 ')
        'A man\\'s "red" coat ...'
    """
    return ' '.join(unicodedata.normalize('NFC', caption).translate(_TABLE).split())


def find_in_captions(located: Sequence[LocatedRecord]) -> Iterator[Finding]:
    """Find empty and doubled captions, signs beyond ASCII, and captions of several people.

    Args:
        located: records of `mmtbps.datasets.people.number_people`, of all splits.
    """
    yield from filter(None, (_empty(located), _twice(located), _beyond_ascii(located),
                             _of_several(located)))


def _texts(item: LocatedRecord) -> list[str]:
    return [text for text in item.record.captions if isinstance(text, str)]


def _empty(located: Sequence[LocatedRecord]) -> Finding | None:
    places = [(place_of(item), ) for item in located
              for text in _texts(item) if not plain_text(text)]
    return Finding('empty caption', f'{len(places)} captions are empty', tuple(places)
                   ) if places else None


def _twice(located: Sequence[LocatedRecord]) -> Finding | None:
    groups = []
    for item in located:
        counts = Counter(plain_text(text) for text in _texts(item))
        groups += [(place_of(item, text), ) for text, count in counts.items() if text and count > 1]
    return Finding('caption twice', f'{len(groups)} captions stand twice or more at one image',
                   tuple(groups)) if groups else None


def _beyond_ascii(located: Sequence[LocatedRecord]) -> Finding | None:
    signs, places = Counter(), []
    for item in located:
        for text in _texts(item):
            odd = [sign for sign in text if not sign.isascii()]
            signs.update(odd)
            places += [(place_of(item, text), )] if odd else []
    if not places:
        return None
    named = ', '.join(f'U+{ord(sign):04X} {unicodedata.name(sign, "without a name")} ({count})'
                      for sign, count in signs.most_common(6))
    return Finding('beyond ASCII', f'{len(places)} captions have signs beyond ASCII: {named}',
                   tuple(places))


def _of_several(located: Sequence[LocatedRecord]) -> Finding | None:
    owners = defaultdict(dict)
    for item in located:
        for text in _texts(item):
            if plain := plain_text(text):
                owners[plain].setdefault(item.identity, place_of(item, text))
    groups = tuple(tuple(places.values()) for places in owners.values() if len(places) > 1)
    return Finding('caption of several people', f'{len(groups)} captions stand at more than one '
                   'person: such a sentence has no one answer', groups) if groups else None
