"""Negations of a caption with their objects: "not wearing a hat", "shirt is not red"."""

from collections.abc import Sequence

from .grammar import AUXILIARIES, FUNCTION_WORDS, NEGATORS, noun_at, noun_ending_at
from .phrases import Word

_CLAUSE_ENDS = frozenset('and but while with who that which as so because is are'.split())
_MAX_NEGATION = 8


def negations_in(words: Sequence[Word]) -> list[tuple[int, int]]:
    """Find the character spans of the negations of a caption that is already split."""
    spans = []
    for i, word in enumerate(words):
        if is_negator(word):
            start = i
            while start and words[start - 1].key in AUXILIARIES:
                start -= 1
            subject = noun_ending_at(words, start - 1) if start < i else None
            start = subject.start if subject else start
            spans.append((words[start].start, words[_object_end(words, i) - 1].end))
    return spans


def is_negator(word: Word) -> bool:
    """Tell whether a word negates: "no", "without", "isn't"."""
    return word.key in NEGATORS or word.key.endswith(("n't", 'n’t'))


def _object_end(words: Sequence[Word], i: int) -> int:
    """Find the word index after the object of the negation at word ``i``."""
    m = i + 1
    while m < len(words) and m - i <= _MAX_NEGATION:
        if words[m].is_punctuation or (m > i + 1 and words[m].key in _CLAUSE_ENDS):
            break
        noun = noun_at(words, m)
        m = noun.end if noun else m + 1
        following = words[m].key if m < len(words) else ''
        if noun and following not in ('or', 'nor') and not (
                m < len(words) and noun_at(words, m)):
            return m
    while m > i + 1 and words[m - 1].key in FUNCTION_WORDS:
        m -= 1
    return m
