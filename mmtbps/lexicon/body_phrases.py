"""Hair, beard and gender in a query: the phrases of the body, as word indices."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from .grammar import COPULAS, FILLERS, FUNCTION_WORDS, noun_at
from .phrases import PhraseIndex, Word
from .vocabulary import read_table

__all__ = ['BodyPhrase', 'find_body_phrases', 'gender_of', 'is_silent']

_HAIR = 'hair'
_MAX_MODIFIERS = 5
_ADVERBS = frozenset('very quite fairly slightly rather'.split())


class BodyPhrase(NamedTuple):
    """Words of a query on a person's hair, beard or gender, as word indices.

    Args:
        start: Its first word, after the determiner.
        end: The word after its last.
        kind: ``'hair'``, ``'beard'`` or ``'gender'``.
        name: ``'hair'``, ``'beard'``, or the word for the person.
        style: Of the hair; ``''`` for none that is said.
        color: Of the hair; ``''`` for none that is said.
    """

    start: int
    end: int
    kind: str
    name: str
    style: str = ''
    color: str = ''


def find_body_phrases(words: Sequence[Word]) -> list[BodyPhrase]:
    """Find what a query says of hair, beard and gender, left to right.

    The gender is told once, by the first noun for a man or a woman.

    >>> from mmtbps.lexicon import split_words
    >>> [(p.kind, p.name, p.style, p.color) for p in find_body_phrases(
    ...     split_words('a woman with long blonde hair'))]
    [('gender', 'woman', '', ''), ('hair', 'hair', 'long', 'blonde')]
    """
    hair, taken = list(_hair_in(words)), set()
    for phrase in hair:
        taken.update(range(phrase.start, phrase.end))
    beards = [BodyPhrase(i, end, 'beard', 'beard') for i in range(len(words)) if i not in taken
              and (end := _end_of(_beards(), words, i))]
    person = next((BodyPhrase(i, i + 1, 'gender', word.key) for i, word in enumerate(words)
                   if word.key in _genders() and i not in taken), None)
    return sorted([*hair, *beards, *([person] if person else [])])


def is_silent(key: str) -> bool:
    """Tell whether a word says nothing of a person's looks.

    >>> is_silent('wearing'), is_silent('pedestrian'), is_silent('kurta')
    (True, True, False)
    """
    return key in _silent() or key in FUNCTION_WORDS


def gender_of(noun: str) -> str:
    """Return ``'man'`` or ``'woman'`` for a noun of `find_body_phrases`."""
    return _genders()[noun]


# ------------------------------------------------------------------ hair
def _hair_in(words: Sequence[Word]) -> Iterator[BodyPhrase]:
    done = 0
    for i, word in enumerate(words):
        if i < done:
            continue
        phrase = _read_hair(words, i) if word.key == _HAIR else _read_style(words, i)
        if phrase is not None and phrase.start >= done:
            done = phrase.end
            yield phrase


def _read_hair(words: Sequence[Word], i: int) -> BodyPhrase:
    """Read "long black hair in a ponytail" or "hair is short and brown" around the noun at i."""
    start = i
    while start and i - start < _MAX_MODIFIERS and _describes_hair(words, start - 1):
        start -= 1
    while words[start].key in FILLERS | {','}:
        start += 1
    end, m = i + 1, i + 1
    while m < len(words) and words[m].key in COPULAS | FILLERS | _ADVERBS | {',', 'that'}:
        m += 1
    for first in {i + 1, m}:
        tied = _tied().longest_at(words, first) if first < len(words) else None
        end = max(end, tied[0]) if tied else end
    if m > i + 1:
        told = end
        while m < len(words) and (_describes_hair(words, m)):
            end = m = max(m + 1, _style_end(words, m))
        if _runs_into_a_thing(words, m):  # "hair is black, red coat"
            seams = [k for k in range(i, m) if words[k].key in FILLERS | {','}]
            end = max([told, *(seams or [m - 1])])
        while words[end - 1].key in FILLERS | {','}:
            end -= 1
    style, color = _said(words, start, end)
    return BodyPhrase(start, end, 'hair', _HAIR, style, color)


def _runs_into_a_thing(words: Sequence[Word], m: int) -> bool:
    """Tell whether the words before ``m`` are of a thing that is named next."""
    while m < len(words) and not words[m].is_punctuation and words[m].key not in FUNCTION_WORDS:
        if noun_at(words, m) is not None:
            return True
        m += 1
    return False


def _describes_hair(words: Sequence[Word], m: int) -> bool:
    key = words[m].key
    return key in _hair_words() or key in FILLERS | {','} and m > 0 and (
        words[m - 1].key in _hair_words())


def _style_end(words: Sequence[Word], m: int) -> int:
    found = _styles_index().longest_at(words, m)
    return found[0] if found else m + 1


def _read_style(words: Sequence[Word], i: int) -> BodyPhrase | None:
    """Read "bald", "a black ponytail", "long-haired" or "a blonde woman" at word ``i``."""
    key = words[i].key
    found = _alone().longest_at(words, i)
    if found is not None:
        start = i
        while start and words[start - 1].key in _hair_words():
            start -= 1
        style, color = _said(words, start, found[0])
        return BodyPhrase(start, found[0], 'hair', _HAIR, style, color)
    before_person = i + 1 < len(words) and words[i + 1].key in _people() | {'haired'}
    if key in {'blonde', 'blond', 'brunette'} and (before_person or key == 'brunette'):
        return BodyPhrase(i, i + 1, 'hair', _HAIR, '', _colors()[key])
    return None


def _said(words: Sequence[Word], start: int, end: int) -> tuple[str, str]:
    """Return style and color that words name; a tied style counts before a length."""
    style, color, m = '', '', start
    while m < end:
        tied, named = _tied().longest_at(words, m), _styles_index().longest_at(words, m)
        if tied and tied[0] <= end:
            style, m = _tied_names()[tied[1]], tied[0]
            continue
        if named and named[0] <= end:
            style, m = style or _style_names()[named[1]], named[0]
            if (whole := words[m - 1].key) in _colors():
                color = color or _colors()[whole]
            continue
        two = ' '.join(word.key for word in words[m:m + 2])
        color = color or _colors().get(two, '') or _colors().get(words[m].key, '')
        m += 1
    return style, color


# ------------------------------------------------------------------ tables
def _end_of(index: PhraseIndex, words: Sequence[Word], i: int) -> int | None:
    found = index.longest_at(words, i)
    return found and found[0]


def _names(section: str) -> dict[str, str]:
    return {form: name for name, forms in read_table('asked')[section].items() for form in forms}


@cache
def _style_names() -> Mapping[str, str]:
    return _names('hair_styles')


@cache
def _tied_names() -> Mapping[str, str]:
    return _names('hair_tied')


@cache
def _colors() -> Mapping[str, str]:
    return _names('hair_colors')


@cache
def _styles_index() -> PhraseIndex:
    return PhraseIndex(_style_names())


@cache
def _tied() -> PhraseIndex:
    return PhraseIndex(_tied_names())


@cache
def _beards() -> PhraseIndex:
    return PhraseIndex(read_table('asked')['beard'])


@cache
def _alone() -> PhraseIndex:
    """Index what speaks of hair without the word: "bald", "ponytail", "long-haired"."""
    table = read_table('asked')
    return PhraseIndex([
        *table['hair_styles']['bald'],
        *(form for forms in table['hair_tied'].values() for form in forms
          if not form.startswith('in ') and not form.endswith((' back', ' up', ' behind'))),
        *(form for section in ('hair_styles', 'hair_colors')
          for forms in table[section].values() for form in forms if form.endswith('-haired'))])


@cache
def _hair_words() -> frozenset[str]:
    """Collect the words that may stand before "hair"."""
    table = read_table('asked')
    forms = [form for section in ('hair_styles', 'hair_colors')
             for group in table[section].values() for form in group]
    return frozenset(word for form in forms for word in form.split()) | _ADVERBS | {
        'colored', 'coloured', 'thick', 'thin', 'neat', 'messy'}


@cache
def _genders() -> Mapping[str, str]:
    persons = read_table('reading')['persons']
    return {**dict.fromkeys(persons['male'], 'man'), **dict.fromkeys(persons['female'], 'woman')}


@cache
def _people() -> frozenset[str]:
    return frozenset(noun for nouns in read_table('reading')['persons'].values() for noun in nouns)


@cache
def _silent() -> frozenset[str]:
    table = read_table('reading')
    neutral = [noun for noun in table['persons']['neutral'] if noun in (
        'person', 'human', 'individual', 'pedestrian', 'adult', 'suspect', 'stranger')]
    return frozenset([*read_table('asked')['silent'], *table['wearing'], *table['holding'],
                      *table['body_parts'], *neutral, *_genders()])
