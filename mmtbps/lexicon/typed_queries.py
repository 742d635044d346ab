"""Queries as people type them, spelled out for a reader of sentences, in the same places."""

import re
from collections.abc import Iterator, Sequence

from .body_phrases import find_body_phrases
from .grammar import (
    FUNCTION_WORDS,
    JOINERS,
    Noun,
    color_term,
    is_spoken,
    noun_at,
    noun_ending_at,
)
from .lacking_phrases import find_lacking
from .negation_scope import absence_end
from .negations import is_negator
from .people import PRONOUNS, opens_with_a_person, person_places
from .phrases import Word, split_words
from .query_text import plain_signs
from .seldom_colors import asked_color
from .typed_negations import drop_contrasts, spell_negations
from .vocabulary import garments, read_table

__all__ = ['spell_out']

_TYPED = {'w/': ';', "someone's": 'their', "somebody's": 'their'}
_TYPED_WORDS = re.compile(r"(?<![\w/'])(?:w/|some(?:one|body)'s(?!\w))", re.IGNORECASE)
#: A line that begins something: a label, a bullet, a number, a denial.
_LINE = re.compile(r'[\r\n](?=\s*(?:[-*•]|\d+[.)]|(?:no|not|without)\b|[^\W_][\w ]{0,20}:))')
_COUNTS = frozenset('two three four five six few many several both other another second third pair '
                    'of'.split())
_OPENING = frozenset('a an the all any every each my our for to is are there has have'.split())
_NOT_BEFORE = (FUNCTION_WORDS | set(PRONOUNS)) - _OPENING
_PICTURES = frozenset('photo photos picture pictures image images video videos shot'.split())
#: Things of one of these before another of these, of another place, are two: "red shirt jeans".
_APART = frozenset({'upper', 'lower', 'shoes', 'hat', 'bag'})
#: Words behind which something else begins: parts of the body, and what ends a clause.
_ENDS = frozenset({'hair', 'beard', 'visible', 'nothing', *read_table('reading')['body_parts']})
_LOOKS = 4
_LACKED = frozenset({'hat', 'bag', 'accessory'})


def spell_out(query: str) -> str:
    """Spell a query out so that it reads like a caption; every character keeps its place.

    "People" and "someone" become one person, since each of them is asked for; "w/o" and "isnt" are
    negations; and things that only spaces keep apart get signs between them.

    >>> spell_out('women w/o hats white shirt black pants')
    'woman no  hats;white shirt;black pants'
    >>> spell_out('two men in red coats')
    'two men in red coats'
    """
    plain = _LINE.sub(';', plain_signs(query)).replace('_', '\t')
    denied = drop_contrasts(spell_negations(plain))
    typed = _TYPED_WORDS.sub(lambda found: _fit(_TYPED[found[0].lower()], found[0]), denied)
    return _ask_for_one(_keep_apart(typed))


def _fit(text: str, written: str) -> str:
    return text.ljust(len(written))


def _ask_for_one(query: str) -> str:
    """Write "people in red" as of one person, unless they are counted, or others are named."""
    words, one = split_words(query), read_table('asked')['asked_for']
    people = [*person_places(words)]
    named = [i for i in people if i + 1 not in people]  # "teen girls" are one
    if len(named) != 1 or (word := words[named[0]]).key not in one:
        return query
    for i, before in enumerate(words[:people[0]]):
        pictured = before.key == 'of' and i and words[i - 1].key in _PICTURES
        if not pictured and (before.key in _COUNTS or before.key.isdigit() or (
                before.key in _NOT_BEFORE)):
            return query
    if query[word.end:word.end + 1] == "'":
        return query
    return f'{query[:word.start]}{_fit(one[word.key], word.key)}{query[word.end:]}'


def _keep_apart(query: str) -> str:
    """Put signs between things that stand side by side."""
    words = split_words(query)
    signs = list(query)
    for i in _seams(words):
        if signs[words[i].start - 1].isspace():
            signs[words[i].start - 1] = ';'
    return ''.join(signs)


def _seams(words: Sequence[Word]) -> Iterator[int]:
    """Find the words that begin another thing behind a thing or a person."""
    hair = [phrase for phrase in find_body_phrases(words) if phrase.kind == 'hair']
    starts, ends = {phrase.start for phrase in hair}, {phrase.end for phrase in hair}
    people = set(person_places(words))
    lacked = {each.last for each in find_lacking(words) if each.said}
    lacked.update(end for i in range(1, len(words)) if (end := absence_end(words, i)) > i
                  and noun_ending_at(words, i - 1) is not None)
    spoken = [is_spoken(word) for word in words]
    last = 0
    for i in range(1, len(words)):
        if not spoken[i] or not (spoken[i - 1] or words[i - 1].key == 'nothing'):
            continue
        if i in lacked:  # "hatless man", "scarf-free striped shirt", "hat missing red coat"
            last = i
            yield i
            continue
        noun = noun_ending_at(words, i - 1)
        thing = noun is not None and noun.key in garments()
        denied = noun is not None and _is_denied(words, noun.start, last)
        ended = denied or words[i - 1].key in _ENDS
        told = ended or i in ends or i - 1 in people  # hair, or a person
        if ((told or thing) and i in starts) or ((ended or thing) and i in people) or (
                thing and _is_elsewhere(words, i, noun.key)) or (
                denied and thing and _is_another(words, i, noun.key)) or (
                opens_with_a_person(words, i - 1) and _next_garment(words, i) is not None) or (
                (told or thing and _stands_alone(words, noun)) and _opens_a_thing(words, i)):
            last = i
            yield i


def _is_denied(words: Sequence[Word], start: int, last: int) -> bool:
    """Tell whether a negation stands before a noun, and behind the last seam: "no red cap"."""
    while start > last and words[start - 1].key not in FUNCTION_WORDS and (
            not words[start - 1].is_punctuation):
        start -= 1
    return any(is_negator(word) for word in words[max(start - 2, last):start])


def _stands_alone(words: Sequence[Word], noun: Noun) -> bool:
    """Tell whether a noun is no attribute of what comes next, as in "polo red shirt"."""
    colored = noun.start > 0 and any(
        (term := color_term(words, m)) is not None and term.bases and term.end == noun.start
        for m in range(max(noun.start - 3, 0), noun.start))
    return colored or garments()[noun.key].region in ('hat', 'bag')


def _opens_a_thing(words: Sequence[Word], i: int) -> bool:
    """Tell whether a color with what it is of begins at a word: "black and white leather shoes"."""
    term = asked_color(words, i)
    if term is None or not term.bases:
        return False
    m = term.end
    while m + 1 < len(words) and words[m].key in JOINERS and (
            other := asked_color(words, m + 1)) is not None:
        m = other.end
    return _next_garment(words, m) is not None


def _next_garment(words: Sequence[Word], i: int) -> Noun | None:
    """Return the garment that is named from a word on, behind a few words for how it looks."""
    for m in range(i, min(i + _LOOKS, len(words))):
        if not is_spoken(words[m]):
            return None
        if (noun := noun_at(words, m)) is not None:
            return noun if noun.key in garments() else None
    return None


def _is_another(words: Sequence[Word], i: int, before: str) -> bool:
    """Tell whether a garment named from a word on is not of the name before it: "no hat hoodie".

    "No suit jacket", "no tie dye shirt" and "no belt bag" deny one thing.
    """
    noun = _next_garment(words, i)
    if noun is None or words[i].key == 'dye':
        return False
    first, second = garments()[before].region, garments()[noun.key].region
    return noun.start > i or (first in _LACKED and second not in _LACKED)


def _is_elsewhere(words: Sequence[Word], i: int, before: str) -> bool:
    """Tell whether another part of the body is dressed from a word on: "red shirt dark jeans"."""
    noun = _next_garment(words, i)
    if noun is None:
        return False
    first, second = garments()[before].region, garments()[noun.key].region
    plural = first != 'shoes' or words[i - 1].key.endswith('s')  # no "shoe bag"
    return plural and first in _APART and first != second and second in _APART - {'upper'} | {
        'accessory'}
