"""Negations as people type them, spelled as "no" or "not" in the same places."""

import re
from collections.abc import Sequence
from functools import cache

from .grammar import COPULAS, color_term
from .people import person_places
from .phrases import Word, split_words
from .vocabulary import read_table

__all__ = ['drop_contrasts', 'spell_negations']

_NOT = re.compile(r"(?<![\w/'])(?:is|are|was|were|does|do|did|has|have|had|ca|wo|ai|could|would"
                  r"|should)nt(?![\w'])", re.IGNORECASE)
#: "Without" with a letter too few, too many, or two exchanged; no other word has these letters.
_MISSPELLED = r'(?!without\b)w[ithou]{3,8}(?<=[tuo])|withou[ry]'
_OWNERS = 'a|an|any|the|his|her|their|my'
#: "No: hat", and "non-black coat", which is no black one.
_LABEL = re.compile(r'\b(no|not):(?=\s*\w)', re.IGNORECASE)
_NON = re.compile(r'\bnon[- ]', re.IGNORECASE)
#: As in the search fields of the web: "coat -hat", but not "coat -with a hat- and shoes".
_EXCLUDED = re.compile(r'(?<!\S)[-!](?=[^\W\d_])')
_CLOSING_DASH = re.compile(r'\w-(?!\S)')
_INSIDE, _BEHIND = frozenset({',', '(', 'and', 'but'}), frozenset({',', ')'})
_ARTICLES = frozenset({'a', 'an', 'the'})


def spell_negations(query: str) -> str:
    """Spell "w/o", "isnt", "devoid of", "took off her" and "-hat" as "no", "not" and the sign "¬".

    Every character keeps its place.

    >>> spell_negations('man w/o hat, who isnt in red'), spell_negations('man -hat')
    ('man no  hat, who not  in red', 'man ¬hat')
    """
    spelled = _NOT.sub(lambda found: 'not'.ljust(len(found[0])), query)
    spelled = _no().sub(
        lambda found: ('no' if len(found[0]) > 1 else '¬').ljust(len(found[0])), spelled)
    spelled = _NON.sub(_no_color, _LABEL.sub(r'\1 ', spelled))
    return spelled if _CLOSING_DASH.search(spelled) else _EXCLUDED.sub('¬', spelled)


def _no_color(found: re.Match[str]) -> str:
    """Spell "non-" before a color as "no"."""
    following = split_words(found.string[found.end():])
    named = following and color_term(following, 0) is not None
    return 'no  ' if named else found[0]


def drop_contrasts(query: str) -> str:
    """Put spaces for a color or a person that is named to say which one is not meant.

    >>> drop_contrasts('a red, not blue, coat'), drop_contrasts('a woman not a man')
    ('a red            coat', 'a woman          ')
    """
    words = split_words(query)
    for i, word in enumerate(words):
        if word.key != 'not' or (spoken := _contrast(words, i)) is None:
            continue
        first, last = spoken
        end = words[last].start if last < len(words) else len(query)
        start = words[first - 1].end
        query = f'{query[:start]}{" " * (end - start)}{query[end:]}'
    return query


def _contrast(words: Sequence[Word], i: int) -> tuple[int, int] | None:
    """Find the words of "red, not blue, coat" between the color that is meant and the coat."""
    first = i
    while first and words[first - 1].key in _INSIDE:
        first -= 1
    color, person = _other_color(words, first, i + 1), _other_person(words, first, i + 1)
    end = color or person
    if end is None:
        return None
    while end < len(words) and words[end].key in _BEHIND:
        end += 1
    return first, end


def _other_color(words: Sequence[Word], first: int, i: int) -> int | None:
    """Find the end of a color at word ``i``, if one ends before word ``first``."""
    meant = next((term for m in range(max(first - 3, 0), first)
                  if (term := color_term(words, m)) is not None and term.end == first), None)
    other = color_term(words, i) if i < len(words) else None
    if meant is None or other is None:
        return None
    told = meant.start and words[meant.start - 1].key in COPULAS
    # "The coat is red, not blue pants."
    return None if told and other.end < len(words) and (
        not words[other.end].is_punctuation) else other.end


def _other_person(words: Sequence[Word], first: int, i: int) -> int | None:
    """Find the end of a person at word ``i``, if one is named before word ``first``."""
    people = {*person_places(words)}
    named = i + 1 if i < len(words) and words[i].key in _ARTICLES else i
    return named + 1 if first - 1 in people and named in people else None


@cache
def _no() -> re.Pattern[str]:
    table = read_table('asked')['typed_negations']
    alone, owned = ('|'.join(re.escape(form).replace(r'\ ', r'\s+') for form in sorted(
        table[section], key=len, reverse=True)) for section in ('alone', 'owned'))
    return re.compile(rf"(?<![\w/'.-])(?:(?:{alone}|{_MISSPELLED})(?![\w/'-])(?!\s+m[ae]n\b)"
                      rf"|(?:{owned})(?=\s+(?:{_OWNERS})\b))", re.IGNORECASE)
