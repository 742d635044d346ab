"""Reading of a caption for more than colors: types of what is worn, and patterns of cloth."""

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from .attributes import pattern_words, type_names
from .caption_reading import CaptionReading, read_caption
from .garment_phrases import GarmentPhrase, is_known_modifier, phrase_start
from .grammar import COPULAS, FILLERS, FUNCTION_WORDS, color_term
from .phrases import PhraseIndex, Word, find_phrases_in, split_words
from .vocabulary import read_table

__all__ = ['AttributeReading', 'PatternPhrase', 'WornItem', 'names_construction',
           'read_attributes', 'unknown_words']

_MAX_NAME = 3
_SUBJECTS = frozenset('he she they him her his i'.split())


class PatternPhrase(NamedTuple):
    """Words of a pattern, as word indices; ``name`` is ``''`` for a pattern without a name.

    ``place`` says how they belong to a garment: ``'before'`` it, ``'with'`` after it ("with white
    stripes", from that word on) or ``'is'`` ("is striped"); ``''`` for none.
    """

    start: int
    end: int
    name: str
    place: str = ''


class WornItem(NamedTuple):
    """A garment or accessory of a caption, as word indices.

    Args:
        garment: The same as `read_caption` sees it.
        type: Its `garment_type`, of a name of several words too ("mini skirt").
        plural: Whether the name is one in the plural.
        first: First word of its noun phrase, after the determiner.
        name: First word of its name.
        last: The word after its name.
        patterns: Its patterns.
    """

    garment: GarmentPhrase
    type: str
    plural: bool
    first: int
    name: int
    last: int
    patterns: tuple[PatternPhrase, ...]

    @property
    def bases(self) -> tuple[str, ...]:
        """Basic colors that the caption gives to it."""
        return self.garment.mention.bases if self.garment.mention else ()

    @property
    def pattern_names(self) -> tuple[str, ...]:
        """Names of its patterns."""
        return tuple(pattern.name for pattern in self.patterns)


class AttributeReading(NamedTuple):
    """All that a caption is understood to say of types and patterns.

    Args:
        words: The words of the caption.
        reading: Its colors and garments.
        items: Its garments, with type and pattern.
        loose: Patterns of nothing that is known.
    """

    words: tuple[Word, ...]
    reading: CaptionReading
    items: tuple[WornItem, ...]
    loose: tuple[PatternPhrase, ...]


@lru_cache(maxsize=2**15)  # a training reads the same captions in each epoch
def read_attributes(caption: str) -> AttributeReading:
    """Read the types and patterns of the garments of a caption.

    >>> reading = read_attributes('A striped red polo shirt and black track suit pants.')
    >>> [(item.type, item.bases, item.pattern_names) for item in reading.items]
    [('polo shirt', ('red',), ('striped',)), ('pants', ('black',), ())]
    """
    words, reading = tuple(split_words(caption)), read_caption(caption)
    patterns = _patterns_in(words)
    items = [_read_item(words, garment, patterns) for garment in reading.garments]
    taken = {pattern.end for item in items for pattern in item.patterns}
    return AttributeReading(words, reading, tuple(items), tuple(
        pattern for pattern in patterns if pattern.end not in taken))


def names_construction(words: Sequence[Word], region: str) -> bool:
    """Tell whether a caption speaks of what only some types of garment have: collars, zippers.

    >>> names_construction(split_words('A shirt with a collar.'), 'upper')
    True
    """
    index = _construction(region)
    return index is not None and any(index.longest_at(words, i) for i in range(len(words)))


def unknown_words(words: Sequence[Word]) -> list[str]:
    """List the words of a caption that may be the name of a garment, for all that is known.

    >>> unknown_words(split_words('A tall man in a kurta walks past the old shop.'))
    ['kurta']
    """
    known = {i for phrase in find_phrases_in(words) for i, word in enumerate(words)
             if phrase.start <= word.start < phrase.end}
    known |= {i for start in range(len(words)) if (term := color_term(words, start))
              for i in range(term.start, term.end)}
    return [word.key for i, word in enumerate(words) if i not in known
            and not word.is_punctuation and not _is_plain(word.key)]


def _is_plain(key: str) -> bool:
    stem = key.removesuffix("'s").removesuffix('’s')
    return stem in _plain_words() or key in FUNCTION_WORDS or is_known_modifier(key)


def _patterns_in(words: Sequence[Word]) -> list[PatternPhrase]:
    found, i = [], 0
    while i < len(words):
        match = _pattern_index().longest_at(words, i)
        if match is None:
            i += 1
            continue
        found.append(PatternPhrase(i, match[0], pattern_words()[match[1]]))
        i = match[0]
    return found


def _read_item(words: Sequence[Word], garment: GarmentPhrase,
               patterns: Sequence[PatternPhrase]) -> WornItem:
    chain = next(i for i, word in enumerate(words) if word.start == garment.start)
    last = next(i for i, word in enumerate(words) if word.end == garment.end) + 1
    name = next(start for start in range(max(last - _MAX_NAME, 0), last) if ' '.join(
        word.key for word in words[start:last]) in type_names())
    type_, plural = type_names()[' '.join(word.key for word in words[name:last])]
    first = min(phrase_start(words, chain, garment.mention), name)
    own = [pattern._replace(place='before') for pattern in patterns
           if first <= pattern.start and pattern.end <= name]
    return WornItem(garment, type_, plural, first, name, last,
                    (*own, *_patterns_after(words, last, patterns)))


def _patterns_after(words: Sequence[Word], last: int,
                    patterns: Sequence[PatternPhrase]) -> list[PatternPhrase]:
    """Find the pattern of "shirt with white stripes" or "shirt is blue and striped"."""
    key = words[last].key if last < len(words) else ''
    place = 'with' if key == 'with' else 'is' if key in COPULAS else ''
    m = last + 1
    while place == 'is' and m < len(words) and words[m].key in FILLERS:
        m += 1
    term = color_term(words, m) if place and m < len(words) else None
    if term:
        m = term.end
        while place == 'is' and m < len(words) and words[m].key in FILLERS:
            m += 1
    pattern = next((p for p in patterns if place and p.start == m and p.name), None)
    if pattern is None:
        return []
    noun = words[pattern.end - 1].key.endswith('s')
    ends = pattern.end == len(words) or words[pattern.end].is_punctuation or (
        words[pattern.end].key in FUNCTION_WORDS - {'on', 'of', 'in', 'at', 'along', 'across'})
    if not ends or noun != (place == 'with'):
        return []
    return [pattern._replace(start=last, place=place) if noun else pattern._replace(place=place)]


@cache
def _pattern_index() -> PhraseIndex:
    return PhraseIndex(pattern_words())


@cache
def _construction(region: str) -> PhraseIndex | None:
    phrases = read_table('attributes')['construction'].get(region)
    return phrases and PhraseIndex(phrases)


@cache
def _plain_words() -> frozenset[str]:
    """Collect every word of the tables that names no garment."""
    reading, table = read_table('reading'), read_table('attributes')
    words = {*table['plain_words'], *table['other_patterns'], *_SUBJECTS}
    for section in reading.values():
        lists = section.values() if isinstance(section, dict) else [section]
        words |= {word for entries in lists for entry in entries for word in entry.split()}
    return frozenset(words)
