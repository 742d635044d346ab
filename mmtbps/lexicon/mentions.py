"""Color phrases and negations of a caption.

A small phrase grammar over the lexicon, no parser: color words and the noun
they belong to ("dark blue t-shirt", "red, knee-length dress", "shirt is red"),
and negations with their object ("not wearing a hat").
"""

from collections.abc import Sequence
from typing import NamedTuple

from .grammar import (
    COPULAS,
    FILLERS,
    JOINERS,
    RELATIVES,
    ColorTerm,
    Noun,
    color_term,
    ends_noun_phrase,
    noun_at,
    noun_ending_at,
    noun_table,
)
from .negations import negations_in
from .phrases import Word, split_words
from .shared_colors import shared_nouns
from .vocabulary import garments

_DASHES = frozenset('-–—')
_MAX_MODIFIERS = 4  # "red long sleeve button up shirt"
_MAX_FILLERS = 3  # "hair is long straight and black"
_MAX_UNKNOWN = 2  # "white cell phone": an unknown noun keeps two words


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
        shared: Spans of other nouns that may have the color too (``'blue shirt
            and pants'``).
    """

    color: tuple[int, int]
    span: tuple[int, int]
    noun: str | None
    region: str | None
    bases: tuple[str, ...]
    predicative: bool
    shared: tuple[tuple[int, int], ...] = ()


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
    return [_without_colored(mention, found) if mention.shared else mention for mention in found]


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


def protected_spans_in(words: Sequence[Word],
                       mentions: Sequence[ColorMention] | None = None) -> list[tuple[int, int]]:
    """Find spans as `protected_spans` does, for a caption that is already split, or read."""
    mentions = find_color_mentions_in(words) if mentions is None else mentions
    spans = [mention.span for mention in mentions]
    spans += negations_in(words)
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _read_mention(words: Sequence[Word], run: list[ColorTerm]) -> tuple[ColorMention, int]:
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
    nouns = noun_table()
    mention = ColorMention(
        color=(words[start].start, words[end - 1].end),
        span=(words[first].start, words[last - 1].end),
        noun=noun.key if noun else None,
        region=nouns[noun.key].region if noun else None,
        bases=tuple(base for term in run for base in term.bases),
        predicative=subject is not None,
        shared=() if noun is None and last == end else tuple(shared_nouns(
            words, first, subject.end if subject else last, subject is not None)))
    return mention, last


def _without_colored(mention: ColorMention, found: Sequence[ColorMention]) -> ColorMention:
    """Take the nouns with a color of their own from those that may share one."""
    return mention._replace(shared=tuple(
        (start, end) for start, end in mention.shared
        if not any(m.span[0] < end and start < m.span[1] for m in found if m is not mention)))


def _color_run(words: Sequence[Word], i: int) -> list[ColorTerm]:
    """Read colors that stand together: "red, dark blue and white"."""
    run: list[ColorTerm] = []
    term = color_term(words, i)
    while term:
        run.append(term)
        i = term.end
        while i < len(words) and i < term.end + 2 and words[i].key in JOINERS | _DASHES:
            i += 1
        term = color_term(words, i)
    return run


def _head_after(words: Sequence[Word], i: int) -> Noun | None:
    """Find the noun a color stands before, across a few modifiers and one comma."""
    start = i + (i < len(words) and words[i].key == ',')
    noun, m = None, start
    while m < len(words) and m - start <= _MAX_MODIFIERS:
        following = noun_at(words, m)
        if following:
            noun = following
            m = noun.end
            continue
        if ends_noun_phrase(words, m) or (noun and noun.key in garments()):
            break
        m += 1
    if noun and start > i and noun.start == start:
        return None  # "shoes are red, shirt is blue": the comma parts two clauses
    return noun


def _subject_before(words: Sequence[Word], i: int) -> Noun | None:
    """Find the noun of "pants are long and dark gray" for the color at word ``i``."""
    m = i - 1
    while m >= 0 and i - m <= _MAX_FILLERS and words[m].key not in COPULAS:
        if words[m].key not in FILLERS and ends_noun_phrase(words, m):
            return None
        m -= 1
    if m < 0 or words[m].key not in COPULAS:
        return None
    while m >= 0 and (words[m].key in COPULAS or words[m].key in RELATIVES):
        m -= 1
    return noun_ending_at(words, m)


def _noun_in_color(words: Sequence[Word], i: int) -> Noun | None:
    """Find the noun of "a coat in black"."""
    return noun_ending_at(words, i - 2) if i >= 2 and words[i - 1].key == 'in' else None


def _unknown_noun_end(words: Sequence[Word], i: int) -> int:
    end = i
    while end < len(words) and end - i < _MAX_UNKNOWN and not ends_noun_phrase(words, end):
        end += 1
    return end
