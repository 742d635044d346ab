"""Nouns that a color may describe beside its own: "blue shirt and pants", "coat and hat are red".

English leaves open whether the second noun has the color; so these are nouns of which nothing is
certain. A noun with a determiner or color of its own ("a blue shirt and a skirt") is not one.
"""

from collections.abc import Sequence

from .grammar import (
    AUXILIARIES,
    COPULAS,
    FUNCTION_WORDS,
    JOINERS,
    color_term,
    noun_chain_at,
    noun_ending_at,
)
from .phrases import Word
from .vocabulary import read_table

_JOINING_PHRASES = (('as', 'well', 'as'), ('along', 'with'), ('together', 'with'), ('plus',),
                    ('+',), ('n',))
_OPENING = frozenset(phrase[0] for phrase in _JOINING_PHRASES)
_DETERMINERS = frozenset('a an the his her their its'.split())
_COUNTS = frozenset('one two three some several many no any another both each'.split())
_PLURALS = frozenset({'are', 'were', 'in', 'that', 'which', 'both', 'all', 'appear', 'seem'})
_HEDGES = frozenset('maybe perhaps possibly probably even also'.split())
_MAX_MODIFIERS = 4


def shared_nouns(words: Sequence[Word], first: int, last: int,
                 predicative: bool) -> list[tuple[int, int]]:
    """Find the nouns that may share a color with a noun phrase, as spans of characters.

    Args:
        words: The caption.
        first: Word index of the phrase's first word; of its noun, if that comes first.
        last: Word index after the phrase's last word; after its noun, if that comes first.
        predicative: The noun comes first.
    """
    ends = _before(words, first, last) if predicative else _after(words, last)
    return [(words[start].start, words[end - 1].end) for start, end in ends]


def _after(words: Sequence[Word], i: int) -> list[tuple[int, int]]:
    found = []
    while (start := _past_joiners(words, i)) is not None:
        noun = _bare_noun(words, start)
        if noun is None:
            break
        found.append(noun)
        i = noun[1]
    return found


def _past_joiners(words: Sequence[Word], i: int) -> int | None:
    """Return the index after the joiners at word ``i``; ``None`` if there are none."""
    m = i
    while m < len(words):
        phrase = None if words[m].key not in _OPENING else next(
            (p for p in _JOINING_PHRASES
             if tuple(word.key for word in words[m:m + len(p)]) == p), None)
        if phrase is None and words[m].key not in (JOINERS if m == i else JOINERS | _HEDGES):
            break
        m += len(phrase or 'x')
    return m if i < m < len(words) else None


def _bare_noun(words: Sequence[Word], start: int) -> tuple[int, int] | None:
    """Read a noun phrase without a determiner, count or color of its own."""
    first, table = words[start].key, read_table('reading')
    if first in _COUNTS or first in table['not_nouns'] or first.isdigit() or (
            first.endswith(('ing', 'ly')) and '-' not in first
            and first not in table['modifiers']):
        return None
    m = start
    while m < len(words) and m - start <= _MAX_MODIFIERS and not (
            words[m].key in FUNCTION_WORDS or words[m].is_punctuation):
        if color_term(words, m):
            return None
        noun = noun_chain_at(words, m)
        if noun:
            return None if _says_its_own(words, noun.end) else (start, noun.end)
        m += 1
    # An unknown word: "shirt and knickers".
    return (start, m) if m > start else None


def _says_its_own(words: Sequence[Word], i: int) -> bool:
    """Tell whether a noun that ends before ``i`` has a predicate: "..., shoes are white"."""
    if i >= len(words):
        return False
    return words[i].key in COPULAS | AUXILIARIES or (
        words[i].key == 'in' and i + 1 < len(words) and color_term(words, i + 1) is not None)


def _before(words: Sequence[Word], first: int, last: int) -> list[tuple[int, int]]:
    """Find the other subjects: "his shirt, pants and shoes are black"."""
    found: list[tuple[int, int]] = []
    if last < len(words) and words[last].key not in _PLURALS:
        return found
    i = first
    while True:
        while i and words[i - 1].key not in FUNCTION_WORDS and not words[i - 1].is_punctuation:
            i -= 1
        if i and words[i - 1].key in _DETERMINERS:
            i -= 1
        joined = i
        while joined and words[joined - 1].key in JOINERS:
            joined -= 1
        noun = noun_ending_at(words, joined - 1) if joined < i and joined else None
        if noun is None:
            return found
        found.append((noun.start, noun.end))
        i = noun.start
