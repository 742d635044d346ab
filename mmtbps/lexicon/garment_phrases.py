"""Noun phrases of garments, with the reasons for which one cannot be relied on."""

import re
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from .grammar import COPULAS, FILLERS, FUNCTION_WORDS, color_term, noun_chain_at, noun_table
from .lettering import is_lettering, quotations_in
from .mentions import ColorMention
from .negations import is_negator, negations_in
from .phrases import Word
from .vocabulary import colors, details, garments, read_table, synonym_table

__all__ = ['GarmentPhrase', 'find_garment_phrases', 'is_known_modifier', 'phrase_start']

_MAX_MODIFIERS = 6
_LOOKS = frozenset('looks look looked'.split())
_NUMBER_OR_POSSESSIVE = re.compile(r"\d+|.+['’]s?")
_DESCRIBES = re.compile(r'[a-z]{2,}(?:ed|ing|ly|less)')
_SENTENCE_ENDS = frozenset('.;!?')
_NEGATION_ENDS = _SENTENCE_ENDS | {'and', 'but', 'while', 'who', 'because'}
_DETERMINERS = frozenset('a an the his her their its this that'.split())
_LINKS = frozenset('that which has been'.split())
_PLACES = frozenset('over in on around round about under across from beside'.split())
_SIDES_AFTER = frozenset('in on at along around near'.split())
_BETWEEN_COLORS = frozenset('on over to into by'.split())
_CLAUSE_MARKS = frozenset(',.;:!?')
_JOINS = frozenset({'and', 'or', '&', '/', '-', '–'})
_OPENS = frozenset('a an in wearing wears wear'.split())
_HUNG_AT = frozenset('waist hips hip feet'.split())
_MAX_BETWEEN = 3
_CLAUSE = frozenset('with and while who , .'.split())
_APPOSITIONS = frozenset(',:;(-–')
# Words before "of" that mean all of it.
_WHOLES = frozenset('color colour pair pairs kind type style all'.split())
# A bare noun that says its color.
_COLORED_NOUNS = frozenset({'khakis'})


class GarmentPhrase(NamedTuple):
    """A garment in a caption; ``start`` and ``end`` in characters, of the noun.

    Args:
        start: Its first character.
        end: The one after its last.
        noun: The lexicon's form of it.
        region: Its `Garment.region`.
        mention: The color phrase it belongs to, if it has one.
        doubt: Reason for which the caption does not say that a person wears this in that color, or
            in no color; ``None`` if it does.
    """

    start: int
    end: int
    noun: str
    region: str
    mention: ColorMention | None
    doubt: str | None


def find_garment_phrases(words: Sequence[Word],
                         mentions: Sequence[ColorMention]) -> list[GarmentPhrase]:
    """Find the garments of a caption, with and without a color, left to right.

    Args:
        words: Words of the caption.
        mentions: Its color phrases.
    """
    found, i = [], 0
    negated = negations_in(words) + _negated_clauses(words)
    shared = [span for mention in mentions for span in mention.shared]
    quoted = quotations_in(words)
    while i < len(words):
        noun = noun_chain_at(words, i)
        if noun is None:
            i += 1
            continue
        i = noun.end
        if noun.key not in garments():
            continue
        start, end = words[noun.start].start, words[noun.end - 1].end
        mention = next((m for m in mentions if m.noun == noun.key
                        and m.span[0] < end and start < m.span[1]), None)
        inside = mention.span if mention else (start, end)
        doubt = _doubt(words, noun.start, noun.end, mention)
        if any(a < inside[1] and inside[0] < b for a, b in negated):
            doubt = 'negated'
        elif any(a < start < b for a, b in quoted):
            doubt = 'written text'
        elif mention and _is_a_second_color(words, mention, mentions):
            doubt = 'words that may be a color'
        elif (mention and mention.shared) or any(a < end and start < b for a, b in shared):
            doubt = 'a color that may be shared'
        found.append(GarmentPhrase(start, end, noun.key, noun_table()[noun.key].region, mention,
                                   doubt))
    return found


def is_known_modifier(key: str) -> bool:
    """Tell whether a word before a garment certainly names no color.

    >>> [is_known_modifier(word) for word in ('striped', 'long-sleeve', 'eggplant', 'blue-ish')]
    [True, True, False, False]
    """
    if key in _modifiers():
        return True
    if '-' in key:
        return all(part in FUNCTION_WORDS or is_known_modifier(part) for part in key.split('-'))
    return bool(_NUMBER_OR_POSSESSIVE.fullmatch(key)
                or _DESCRIBES.fullmatch(key) and key not in _words_of('color_words') | _words_of(
                    'color_like')
                and not any(key.startswith(name) for name in colors() if len(name) > 3))


def _doubt(words: Sequence[Word], first: int, last: int,
           mention: ColorMention | None) -> str | None:
    """Return the first reason to doubt the garment at words ``first`` to ``last``."""
    start = phrase_start(words, first, mention)
    if _is_handled(words, start) or _lies_elsewhere(words, start, last):
        return 'not worn'
    if is_lettering(words[start:first]):
        return 'written text'
    if _joins_unknown(words, start) or any(not is_known_modifier(word.key) for word in
                                           _modifiers_of(words, start, first, mention)):
        return 'words that may be a color'
    if mention is not None and mention.predicative and (
            _is_a_part(words, start) or _has_sides(words, mention)):
        return 'only a part'
    if mention is None and (words[last - 1].key in _COLORED_NOUNS or _unknown_predicate(
            words, last)):
        return 'words that may be a color'
    return None


def _is_a_part(words: Sequence[Word], start: int) -> bool:
    """Tell whether a part is spoken of: "the bottom of her dress is red"."""
    m = start
    while m and words[m - 1].key in _DETERMINERS:
        m -= 1
    return m > 1 and words[m - 1].key == 'of' and words[m - 2].key not in _WHOLES


def _has_sides(words: Sequence[Word], mention: ColorMention) -> bool:
    """Tell whether a color is that of one side: "his shirt is red on top and blue below"."""
    after = [word.key for word in words if word.start >= mention.color[1]][:3]
    sides = [key for key in after[1:] if key not in _DETERMINERS]
    return len(after) > 1 and after[0] in _SIDES_AFTER and bool(sides) and (
        sides[0] in _words_of('sides'))


def _joins_unknown(words: Sequence[Word], start: int) -> bool:
    """Tell whether "and" joins an unknown word to the phrase: "a balck and white shirt"."""
    return start > 2 and words[start - 1].key in _JOINS and (
        words[start - 3].key in _OPENS) and not _names_no_color(words, start - 2, 'bare_in')


def _is_a_second_color(words: Sequence[Word], mention: ColorMention,
                       mentions: Sequence[ColorMention]) -> bool:
    """Tell whether a color before shares the noun: "a red with white shirt", "red on white"."""
    former = next((m for m in reversed(mentions) if m.noun is None and m.span[1] == m.color[1]
                   and m.color[1] <= mention.color[0]), None)
    if former is None or mention.predicative:
        return False
    between = [w.key for w in words if former.color[1] <= w.start < mention.color[0]]
    before = [word.key for word in words if word.start < former.color[0]][-1:]
    if len(between) == 1 and between[0] in _BETWEEN_COLORS:
        return True
    return bool(before) and before[0] in _DETERMINERS and len(between) <= _MAX_BETWEEN and not (
        (_CLAUSE_MARKS | _DETERMINERS).intersection(between))


def phrase_start(words: Sequence[Word], first: int, mention: ColorMention | None) -> int:
    """Return the index of the first word of a noun phrase, without its determiner."""
    m = first
    while m and first - m < _MAX_MODIFIERS and not words[m - 1].is_punctuation and (
            words[m - 1].key not in FUNCTION_WORDS):
        m -= 1
    if mention and not mention.predicative:  # "red, white and blue shirt"
        while m and words[m - 1].start >= mention.color[0]:
            m -= 1
        while m and first - m < _MAX_MODIFIERS and not words[m - 1].is_punctuation and (
                words[m - 1].key not in FUNCTION_WORDS):
            m -= 1
    return m


def _modifiers_of(words: Sequence[Word], start: int, first: int,
                  mention: ColorMention | None) -> list[Word]:
    """List the words of a garment's description that are no part of its color."""
    begin, end = mention.color if mention else (0, 0)
    described = list(words[start:first])
    if mention and mention.predicative:  # "pants are long and dark gray"
        described += [word for word in words[first:] if mention.span[0] < word.start < begin
                      and word.key not in COPULAS | FILLERS and word.key not in FUNCTION_WORDS]
    known = frozenset(read_table('reading')['not_nouns'])
    return [word for word in described if not (begin <= word.start < end)
            and not word.is_punctuation and word.key not in known
            and word.key not in FUNCTION_WORDS and word.key not in details()
            and word.key not in garments() and not color_term([word], 0)]


def _unknown_predicate(words: Sequence[Word], i: int) -> bool:
    """Tell whether a noun that ends before ``i`` is said to be something unknown."""
    following = words[i].key if i < len(words) else ''
    if following == 'in':
        return i + 1 < len(words) and not _names_no_color(words, i + 1, 'bare_in')
    if following in _APPOSITIONS and i + 1 < len(words):  # "a dress (strawberry)"
        alone = i + 2 == len(words) or words[i + 2].is_punctuation
        return alone and not _names_no_color(words, i + 1, 'not_nouns')
    m = i
    while following in COPULAS | _LOOKS and m < len(words) and (
            words[m].key in COPULAS | FILLERS | _LOOKS or words[m].key.endswith('ly')):
        m += 1
    return i < m < len(words) and not _names_no_color(words, m, 'modifiers')


def _names_no_color(words: Sequence[Word], i: int, known: str) -> bool:
    word = words[i]
    return (word.is_punctuation or word.key in FUNCTION_WORDS or is_known_modifier(word.key)
            or word.key in read_table('reading')[known] or noun_chain_at(words, i) is not None)


def _is_handled(words: Sequence[Word], start: int) -> bool:
    """Tell whether somebody holds, carries or takes off what begins at word ``start``."""
    table, parts = _words_of('holding'), _words_of('body_parts')
    for m in range(start - 1, -1, -1):
        key = words[m].key
        named = ' '.join(word.key for word in words[m:m + 2]) in synonym_table()
        if key in table and not named:  # "carrying", but not that of "a shopping bag"
            return not (is_negator(words[m + 1]) or words[m + 1].key == 'anything')
        if key in _SENTENCE_ENDS:
            return False
        held_in = key in ('in', 'with') and any(
            word.key in parts for word in words[m + 1:min(m + 4, start)])
        if key in _words_of('wearing') and not held_in:
            # "In her hand she has a red coat."
            return key in ('has', 'is', 'was') and _names_a_place(words, m)
    return False


def _names_a_place(words: Sequence[Word], end: int) -> bool:
    """Tell whether the clause before word ``end`` begins with "in her hand", "over his arm"."""
    start = end
    while start and not words[start - 1].is_punctuation:
        start -= 1
    place = [word.key for word in words[start + 1:min(start + 4, end)]]
    return start < end and words[start].key in _PLACES and any(
        key in _words_of('body_parts') for key in place)


def _lies_elsewhere(words: Sequence[Word], start: int, end: int) -> bool:
    """Tell whether a garment is beside the person, on a chair or over an arm."""
    m = start
    while m and words[m - 1].key in FUNCTION_WORDS and words[m - 1].key in _DETERMINERS:
        m -= 1
    before = [word.key for word in words[max(m - 2, 0):m]]
    if before and (before[-1] in _words_of('near')
                   or before[-1] == 'of' and before[0] in _words_of('containers')):
        return True
    m = end
    # "A man in a red coat is lying on a bench": the man is.
    worn = bool(before) and before[-1] in ('in', 'with', 'wearing', 'wears')
    while not worn and m < len(words) and words[m].key in COPULAS | _LINKS:
        m += 1
    while m < len(words) and words[m].key.endswith('ly'):
        m += 1
    if m < len(words) and words[m].key in _words_of('carried'):
        return True
    if m < len(words) and (words[m].key in _PLACES or words[m].key == 'at'):
        place = [word.key for word in words[m + 1:m + 4]]
        parts = _HUNG_AT if words[m].key == 'at' else _words_of('body_parts')
        return any(word in parts for word in place) and not any(
            word in _CLAUSE for word in place[:-1])
    return False


def _negated_clauses(words: Sequence[Word]) -> list[tuple[int, int]]:
    """Find the clauses that a verb negates: "doesn't seem to be in anything like a red coat"."""
    spans = []
    for i, word in enumerate(words):
        if not is_negator(word) or word.key in ('no', 'without', 'lacks', 'lacking'):
            continue
        end = i
        while end < len(words) and words[end].key not in _NEGATION_ENDS:
            end += 1
        # "a hat, a red shirt or glasses" is one list; otherwise a comma begins another clause.
        listed = any(w.key in ('or', 'nor') for w in words[i:end])
        comma = next((m for m in range(i, end) if words[m].key == ','), end)
        spans.append((word.start, words[(end if listed else comma) - 1].end))
    return spans


@cache
def _modifiers() -> frozenset[str]:
    table, synonyms = read_table('reading'), read_table('synonyms')['adjectives']
    return frozenset(table['modifiers']) | {
        word for group in synonyms for term in group for word in term.split()
    } - frozenset(table['color_words']) - frozenset(table['colored_patterns']) - frozenset(
        read_table('colors')['tones'])


@cache
def _words_of(section: str) -> frozenset[str]:
    return frozenset(read_table('reading')[section])
