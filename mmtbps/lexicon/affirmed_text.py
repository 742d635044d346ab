"""Queries without what they deny, which an encoder would read as its contrary."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from .body_phrases import is_silent
from .grammar import AUXILIARIES, FUNCTION_WORDS, body_place_end
from .negation_scope import absence_end
from .negations import is_negator
from .phrases import Word, split_words

__all__ = ['Denied', 'affirm']

#: Words that say nothing at the end of a clause.
_HANGING = (r'who|whose|that|which|where|and|or|with|but|in|while|wearing|carrying|holding|having|'
            r'is|are|was|were|has|have|a|an|the|he|she|they|it|his|her|their|w/')
_VERBS = 'wears|wearing|carries|carrying|has'
_OF_WHAT_LACKS = r'\b(?:of any (?:kind|sort|color|colour)|at all|whatsoever)\b'


class Denied(NamedTuple):
    """Word indices of what is denied, and of the word that the negation must reach."""

    first: int
    last: int
    key: int


def affirm(sentence: str, words: Sequence[Word], denied: Sequence[Denied], depths: Sequence[int],
           covered: set[int]) -> str:
    """Take what is negated out of a query, with the negation, and mend the seams.

    Args:
        sentence: The query.
        words: Of it.
        denied: What it denies.
        depths: Of each word, see `negation_depths`.
        covered: Words that are of some phrase.

    Returns:
        What is left; empty if that says nothing.
    """
    ends = [*(word.start for word in words[1:]), len(sentence)]
    gaps = [sentence[word.end:end] for word, end in zip(words, ends, strict=False)]
    head = sentence[:words[0].start] if words else ''
    # "Red (not blue) coat" is spelled without the blue.
    contrast = any(gap.strip().strip('_') for gap in [head, *gaps])
    if not denied and not contrast:
        return sentence
    gone = {i for each in denied for i in range(each.first, _end_of(words, each.last))}
    kept = covered - gone
    for i, word in enumerate(words):
        if not is_negator(word):
            continue
        reached = next((m for m in range(i + 1, len(words)) if not depths[m]), len(words))
        ends = [each.last for each in denied if i < each.first and each.key < reached]
        if not ends or not kept.isdisjoint(range(i, max(ends))):
            continue
        start = i
        while start and words[start - 1].key in AUXILIARIES:
            start -= 1
        gone.update(range(start, max(ends)))
    left = ''.join('' if i in gone else sentence[word.start:word.end] + (gap and ' ')
                   for i, (word, gap) in enumerate(zip(words, gaps, strict=True)))
    return _mend(left)


def _end_of(words: Sequence[Word], end: int) -> int:
    """Find the end of what is said of what is not there: "is not visible", "on her head"."""
    end = absence_end(words, end)
    if end < len(words) and words[end].key in ('in', 'on', 'over', 'around', 'at'):
        place = body_place_end(words, end + 1)
        return end if place == end + 1 else place
    return end


def _mend(text: str) -> str:
    """Take away what a removal leaves hanging: joiners at its ends, doubled commas."""
    before = None
    while before != text:
        before = text
        for pattern, new in _MENDS:
            text = pattern.sub(new, text.strip())
        text = text.rstrip(' ,;:-–(')
    words = [word for word in split_words(text) if not word.is_punctuation]
    return text if any(not is_silent(word.key) or word.key not in FUNCTION_WORDS
                       for word in words) else ''


_MENDS = [(re.compile(pattern, re.IGNORECASE), new) for pattern, new in (
    (r'\s+', ' '), (r'\([\s,;.]*\)', ''), (_OF_WHAT_LACKS, ''),
    (r' ?([,.;])(?: ?[,.;])+', r'\1'), (r'\s+([,.;])', r'\1'),
    (rf'(?<![\w/-])(?:{_HANGING})(?=[,.;)]|$)', ''),
    (r'\b(who|with|and|but) (?:and|or|but)\b', r'\1'), (r'\b(?:and|or|but) (?=w/)', ''),
    (r'\b(with|in|and|or) \1\b', r'\1'),
    (r'\b(?:with|who|that) (wearing|in|with|carrying|holding)\b', r'\1'),
    (rf'\b(?:his|her|their|the|an?) (?=(?:and|but|with|in|{_VERBS})\b)', ''),
    (rf'\bwith (?=(?:{_VERBS})\b)', ''), (r'^[/|+–—•-]\s*', ''),
    (r'([–—-])[ –—-]+', r'\1 '), (r' \)', ')'),
    (r'^(?:and|or|but|with|[,.;])(?:\s|$)', ''), (r'^(?:visible|seen|shown)$', ''))]
