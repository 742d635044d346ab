"""Queries as people type them, spelled out for a reader of sentences, in the same places."""

import re
from collections.abc import Iterator, Sequence

from .body_phrases import find_body_phrases
from .grammar import FUNCTION_WORDS, color_term, noun_at, noun_ending_at
from .people import PRONOUNS, person_places
from .phrases import Word, split_words
from .query_text import plain_signs
from .vocabulary import garments, read_table

__all__ = ['spell_out']

_TYPED = {
    'w/o': 'no', 'w/out': 'no', 'w/': ';', "someone's": 'their', "somebody's": 'their',
    **dict.fromkeys('isnt arent wasnt doesnt dont didnt hasnt havent'.split(), 'not')}
_TYPED_WORDS = re.compile(r"(?<![\w/'])(?:w/o(?:ut)?(?![\w/])|w/|some(?:one|body)'s(?!\w)"
                          r"|(?:is|are|was|does|do|did|has|have)nt(?![\w']))", re.IGNORECASE)
_COUNTS = frozenset('two three four five six few many several both other another second third pair '
                    'of'.split())
_OPENING = frozenset('a an the all any every each my our for'.split())
#: Things of one of these before another of these, of another place, are two: "red shirt jeans".
_APART = frozenset({'upper', 'lower', 'shoes', 'hat', 'bag'})
_NO_COLOR_BETWEEN = 3


def spell_out(query: str) -> str:
    """Spell a query out so that it reads like a caption; every character keeps its place.

    "People" and "someone" become one person, since each of them is asked for; "w/o" and "isnt" are
    negations; and things that only spaces keep apart get signs between them.

    >>> spell_out('women w/o hats white shirt black pants')
    'woman no  hats;white shirt;black pants'
    >>> spell_out('two men in red coats')
    'two men in red coats'
    """
    typed = _TYPED_WORDS.sub(lambda found: _fit(_TYPED[found[0].lower()], found[0]),
                             plain_signs(query))
    return _keep_apart(_ask_for_one(typed))


def _fit(text: str, written: str) -> str:
    return text.ljust(len(written))


def _ask_for_one(query: str) -> str:
    """Write "people in red" as of one person, unless they are counted, or others are named."""
    words, one = split_words(query), read_table('asked')['asked_for']
    named = [*person_places(words)]
    if len(named) != 1 or (word := words[named[0]]).key not in one:
        return query
    for before in words[:named[0]]:
        if before.key in _COUNTS or before.key.isdigit() or before.key in PRONOUNS or (
                before.key in FUNCTION_WORDS and before.key not in _OPENING):
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
    hair = {phrase.start for phrase in find_body_phrases(words) if phrase.kind == 'hair'}
    people = set(person_places(words))
    spoken = [not word.is_punctuation and word.key not in FUNCTION_WORDS for word in words]
    for i in range(1, len(words)):
        if not spoken[i] or not spoken[i - 1]:
            continue
        before = noun_ending_at(words, i - 1)
        thing = before is not None and before.key in garments()
        if not thing and i - 1 not in people and words[i - 1].key not in ('hair', 'beard'):
            continue
        if i in hair or _opens_a_thing(words, i) or (thing and (
                i in people or _is_elsewhere(words, i, before.key))):
            yield i


def _opens_a_thing(words: Sequence[Word], i: int) -> bool:
    """Tell whether a color with what it is of begins at a word: "black leather shoes"."""
    term = color_term(words, i)
    if term is None or not term.bases:
        return False
    for m in range(term.end, min(term.end + _NO_COLOR_BETWEEN, len(words))):
        if words[m].is_punctuation or words[m].key in FUNCTION_WORDS:
            return False
        if (noun := noun_at(words, m)) is not None:
            return noun.key in garments()
    return False


def _is_elsewhere(words: Sequence[Word], i: int, before: str) -> bool:
    noun = noun_at(words, i)
    if noun is None or noun.key not in garments():
        return False
    first, second = garments()[before].region, garments()[noun.key].region
    return {first, second} <= _APART and first != second and second != 'upper'
