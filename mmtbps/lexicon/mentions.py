"""Color phrases and negations of a caption.

A small phrase grammar over the lexicon, no parser: color words and the noun
they belong to ("dark blue t-shirt", "red, knee-length dress", "shirt is red"),
and negations with their object ("not wearing a hat").
"""

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from .phrases import PhraseIndex, Word, split_words
from .vocabulary import colors, details, garments, read_table

_JOINERS = frozenset({'and', 'or', '&', '/', ','})
_COPULAS = frozenset('is are was were be being to appears appear seems seem'.split())
_RELATIVES = frozenset({'that', 'which'})
_FILLERS = frozenset({'and', 'also', 'both', 'all'})
_AUXILIARIES = frozenset('is are was were do does did has have had can could'.split())
_NEGATORS = frozenset('no not without never neither nor none nothing cannot lacks lacking'.split())
_CLAUSE_ENDS = frozenset('and but while with who that which as so because is are'.split())
# A noun phrase does not run across these.
_FUNCTION_WORDS = _FILLERS | _COPULAS | _RELATIVES | _AUXILIARIES | _NEGATORS | frozenset(
    'a an the his her their its he she they it this these those who but or with in on of for at '
    'by from as while over under beneath underneath near behind beside around through across '
    'wearing wears wear carrying carries holding holds dressed has having along into onto '
    'there then than'.split())

_MAX_MODIFIERS = 4  # "red long sleeve button up shirt"
_MAX_FILLERS = 3  # "hair is long straight and black"
_MAX_UNKNOWN = 2  # "white cell phone": an unknown noun keeps two words
_MAX_NEGATION = 8


class ColorMention(NamedTuple):
    """A color phrase of a caption; all spans are ``[start, end)`` in characters.

    Args:
        color: Span of the color words with their shades (``'very dark blue'``).
        span: Span of the whole phrase, from color to noun or noun to color.
        noun: The lexicon noun the color describes, ``None`` when it is not in
            the lexicon (then ``span`` takes the next two words along).
        region: The noun's `Garment.region`.
        bases: Basic colors named, in order; empty for a bare shade
            (``'dark jeans'``).
        predicative: The noun comes first (``'shirt is red'``).
    """

    color: tuple[int, int]
    span: tuple[int, int]
    noun: str | None
    region: str | None
    bases: tuple[str, ...]
    predicative: bool


class _Term(NamedTuple):
    """One color of a run, as word indices."""

    start: int
    end: int
    bases: tuple[str, ...]


class _Noun(NamedTuple):
    start: int
    end: int
    key: str


def find_color_mentions(caption: str) -> list[ColorMention]:
    """Find every color phrase of a caption, left to right.

    >>> [(m.bases, m.noun, m.region) for m in find_color_mentions(
    ...     'Her dark blue t-shirt is tucked in and her shoes are red and white.')]
    [(('blue',), 't-shirt', 'upper'), (('red', 'white'), 'shoes', 'shoes')]
    """
    return find_color_mentions_in(split_words(caption))


def find_color_mentions_in(words: Sequence[Word]) -> list[ColorMention]:
    """Find color mentions as `find_color_mentions` does, for a caption that is already split."""
    found, i = [], 0
    while i < len(words):
        run = _color_run(words, i)
        if not run:
            i += 1
            continue
        mention, i = _read_mention(words, run)
        found.append(mention)
    return found


def protected_spans(caption: str) -> list[tuple[int, int]]:
    """Find the character spans that carry the meaning of a caption: colors and negations.

    A protected span holds a color, its noun and all between them, or a
    negation and its object. Removing words inside one can turn a true
    description into a false one ("black [hair and a] shirt"). Spans are sorted
    and disjoint.

    >>> caption = 'The man in a red, knee-length coat walks without a hat.'
    >>> [caption[start:end] for start, end in protected_spans(caption)]
    ['red, knee-length coat', 'without a hat']
    """
    return protected_spans_in(split_words(caption))


def protected_spans_in(words: Sequence[Word]) -> list[tuple[int, int]]:
    """Find spans as `protected_spans` does, for a caption that is already split."""
    spans = [mention.span for mention in find_color_mentions_in(words)]
    spans += _negations(words)
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _read_mention(words: Sequence[Word], run: list[_Term]) -> tuple[ColorMention, int]:
    """Read the mention a color run belongs to, and the word index to go on from."""
    start, end = run[0].start, run[-1].end
    head, subject = _head_after(words, end), _subject_before(words, start)
    if subject and head and len(run) > 1:  # "shirt is red and blue jeans": give blue back
        run, head = run[:-1], None
        end = run[-1].end
    if subject is None and head is None:
        subject = _noun_in_color(words, start)
    noun = subject or head
    first = subject.start if subject else start
    last = head.end if head else end
    if noun is None:
        last = _unknown_noun_end(words, end)
    nouns = _noun_table()
    mention = ColorMention(
        color=(words[start].start, words[end - 1].end),
        span=(words[first].start, words[last - 1].end),
        noun=noun.key if noun else None,
        region=nouns[noun.key].region if noun else None,
        bases=tuple(base for term in run for base in term.bases),
        predicative=subject is not None)
    return mention, last


def _color_run(words: Sequence[Word], i: int) -> list[_Term]:
    """Read colors that stand together: "red, dark blue and white"."""
    run: list[_Term] = []
    term = _color_term(words, i)
    while term:
        run.append(term)
        i = term.end
        while i < len(words) and i < term.end + 2 and words[i].key in _JOINERS:
            i += 1
        term = _color_term(words, i)
    return run


def _color_term(words: Sequence[Word], i: int) -> _Term | None:
    """Read one color with its shades and suffix: "very dark blue colored"."""
    qualifiers, tones, suffixes = _color_words()
    start, count, toned = i, len(words), False
    while i < count and words[i].key in qualifiers:
        toned = toned or words[i].key in tones
        i += 1
    bases: tuple[str, ...] | None = () if toned else None
    if i < count:
        match = _color_index().longest_at(words, i)
        if match:
            i, bases = match[0], (colors()[match[1]].name,)
        elif '-' in words[i].key and (joined := _hyphenated(words[i].key)) is not None:
            i, bases = i + 1, joined
    if bases is None:
        return None
    if i < count and words[i].key in suffixes:
        i += 1
    return _Term(start, i, bases)


@lru_cache(maxsize=4096)
def _hyphenated(key: str) -> tuple[str, ...] | None:
    """Split into basic colors "light-gray" or "black-and-white"; ``None`` for other words."""
    qualifiers, tones, suffixes = _color_words()
    bases, toned = [], False
    for part in key.split('-'):
        if part in colors():
            bases.append(colors()[part].name)
        elif part not in qualifiers and part not in suffixes and part != 'and':
            return None
        toned = toned or part in tones
    return tuple(bases) if bases or toned else None


def _head_after(words: Sequence[Word], i: int) -> _Noun | None:
    """Find the noun a color stands before, across a few modifiers and one comma."""
    start = i + (i < len(words) and words[i].key == ',')
    noun, m = None, start
    while m < len(words) and m - start <= _MAX_MODIFIERS:
        match = _noun_index().longest_at(words, m)
        if match:
            noun = _Noun(m, *match)
            m = noun.end
            continue
        if _ends_noun_phrase(words, m) or (noun and noun.key in garments()):
            break
        m += 1
    if noun and start > i and noun.start == start:
        return None  # "shoes are red, shirt is blue": the comma parts two clauses
    return noun


def _ends_noun_phrase(words: Sequence[Word], i: int) -> bool:
    word = words[i]
    return (word.key in _FUNCTION_WORDS or word.is_punctuation
            or _color_term(words, i) is not None)


def _subject_before(words: Sequence[Word], i: int) -> _Noun | None:
    """Find the noun of "pants are long and dark gray" for the color at word ``i``."""
    m = i - 1
    while m >= 0 and i - m <= _MAX_FILLERS and words[m].key not in _COPULAS:
        if words[m].key not in _FILLERS and _ends_noun_phrase(words, m):
            return None
        m -= 1
    if m < 0 or words[m].key not in _COPULAS:
        return None
    while m >= 0 and (words[m].key in _COPULAS or words[m].key in _RELATIVES):
        m -= 1
    return _noun_ending_at(words, m)


def _noun_in_color(words: Sequence[Word], i: int) -> _Noun | None:
    """Find the noun of "a coat in black"."""
    return _noun_ending_at(words, i - 2) if i >= 2 and words[i - 1].key == 'in' else None


def _noun_ending_at(words: Sequence[Word], i: int) -> _Noun | None:
    for start in (i - 1, i):  # nouns have two words at most
        if start >= 0:
            match = _noun_index().longest_at(words, start)
            if match and match[0] == i + 1:
                return _Noun(start, *match)
    return None


def _unknown_noun_end(words: Sequence[Word], i: int) -> int:
    end = i
    while end < len(words) and end - i < _MAX_UNKNOWN and not _ends_noun_phrase(words, end):
        end += 1
    return end


def _negations(words: Sequence[Word]) -> list[tuple[int, int]]:
    spans = []
    for i, word in enumerate(words):
        if word.key in _NEGATORS or word.key.endswith(("n't", 'n’t')):
            start = i
            while start and words[start - 1].key in _AUXILIARIES:
                start -= 1
            subject = _noun_ending_at(words, start - 1) if start < i else None
            start = subject.start if subject else start
            spans.append((words[start].start, words[_object_end(words, i) - 1].end))
    return spans


def _object_end(words: Sequence[Word], i: int) -> int:
    """Find the word index after the object of the negation at word ``i``."""
    m = i + 1
    while m < len(words) and m - i <= _MAX_NEGATION:
        if words[m].is_punctuation or (m > i + 1 and words[m].key in _CLAUSE_ENDS):
            break
        match = _noun_index().longest_at(words, m)
        m = match[0] if match else m + 1
        following = words[m].key if m < len(words) else ''
        if match and following not in ('or', 'nor') and not (
                m < len(words) and _noun_index().longest_at(words, m)):
            return m
    while m > i + 1 and words[m - 1].key in _FUNCTION_WORDS:
        m -= 1
    return m


@cache
def _color_words() -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """List the words before a color, those of them that stand alone too, and words after it."""
    table = read_table('colors')
    tones = frozenset(table['tones'])
    return tones | frozenset(table['shades']), tones, frozenset(table['suffixes'])


@cache
def _color_index() -> PhraseIndex:
    return PhraseIndex(colors())


@cache
def _noun_table() -> dict:
    return {**garments(), **details()}


@cache
def _noun_index() -> PhraseIndex:
    return PhraseIndex(_noun_table())
