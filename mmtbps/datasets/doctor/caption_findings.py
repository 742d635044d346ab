"""Findings in captions: empty, unusable, twice, beyond ASCII, of several people."""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence

from mmtbps.datasets.annotations import LocatedRecord
from mmtbps.datasets.record_checks import caption_fault
from mmtbps.lexicon.query_text import is_blank
from mmtbps.records import PairRecord

from .findings import Finding, place_of

__all__ = ['PLAIN_SIGNS', 'find_in_captions', 'judge_captions', 'plain_text']

#: Signs of typesetters, and what is on a keyboard.
PLAIN_SIGNS = {'\u2018': "'", '\u2019': "'", '\u201c': '"', '\u201d': '"', '\u2013': '-',
               '\u2014': '-', '\u2026': '...', '\u00a0': ' ', '\u200b': '', '\ufeff': '',
               '\u00ad': ''}
_TABLE = str.maketrans(PLAIN_SIGNS)
_WORDS = {'empty caption': 'are empty', 'caption twice': 'say again what their image has',
          'unusable caption': 'are no text, too long, hold half a letter or what a model left'}


def plain_text(caption: str) -> str:
    """Write a caption with the signs of a keyboard, without blanks that mean nothing.

    Letters of other scripts stay.

    Example:
        >>> plain_text(' A man\u2019s  \u201cred\u201d coat \u2026 ')
        'A man\\'s "red" coat ...'
    """
    return ' '.join(unicodedata.normalize('NFC', caption).translate(_TABLE).split())


def judge_captions(record: PairRecord, fault_of: Callable[[str], str | None] = caption_fault
                   ) -> Iterator[tuple[str | None, str]]:
    """Yield of each caption the kind of finding for which it goes, ``None`` if it stays, and it.

    What goes is what training leaves out, and what the image has said before; composed queries that
    begin from different pictures are different.

    Args:
        record: with the captions.
        fault_of: says what is wrong with a caption, as `TBPSDataset.fault_of` does.

    Returns:
        Kinds with captions in plain signs.

    Example:
        >>> record = PairRecord('1.jpg', ('A man.', ' A  man.', ''), 1, 'train')
        >>> list(judge_captions(record))
        [(None, 'A man.'), ('caption twice', 'A man.'), ('empty caption', '')]
    """
    seen = set()
    for caption, picture in zip(record.captions, record.query_images or (None, ) * len(
            record.captions), strict=True):
        text = plain_text(caption) if isinstance(caption, str) else str(caption)
        if not isinstance(caption, str):
            kind = 'unusable caption'
        elif is_blank(caption):
            kind, text = 'empty caption', ''
        elif fault_of(text):
            kind = 'unusable caption'
        else:
            kind = 'caption twice' if (text, picture) in seen else None
        seen.add((text, picture))
        yield kind, text


def find_in_captions(located: Sequence[LocatedRecord],
                     fault_of: Callable[[str], str | None] = caption_fault) -> Iterator[Finding]:
    """Find captions that training leaves out, that stand twice, or at several people.

    Args:
        located: records of `mmtbps.datasets.people.number_people`, of all splits.
        fault_of: as in `judge_captions`.
    """
    groups: dict[str, list] = {kind: [] for kind in _WORDS}
    for item in located:
        for kind, text in judge_captions(item.record, fault_of):
            if kind:
                groups[kind].append((place_of(item, text), ))
    for kind, found in groups.items():
        if found:
            yield Finding(kind, f'{len(found)} captions {_WORDS[kind]}', tuple(found))
    yield from filter(None, (_beyond_ascii(located), _of_several(located)))


def _texts(item: LocatedRecord) -> list[str]:
    return [text for text in item.record.captions if isinstance(text, str)]


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
