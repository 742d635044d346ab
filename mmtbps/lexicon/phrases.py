"""Splitting of a caption into words, and the search for the lexicon's phrases."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from .vocabulary import colors, details, garments, synonym_table

# A word keeps its inner hyphens and apostrophes: "t-shirt", "man's", "black-and-white".
_WORD = re.compile(r"[^\W_]+(?:['’\-][^\W_]+)*|[^\w\s]|_")


class Word(NamedTuple):
    """A word or punctuation mark, written as ``caption[start:end]``.

    ``key`` is the lower-cased form.
    """

    start: int
    end: int
    key: str

    @property
    def is_punctuation(self) -> bool:
        return not self.key[0].isalnum()


class Phrase(NamedTuple):
    """A lexicon phrase found in a caption; ``key`` is the lexicon's form of it."""

    start: int
    end: int
    key: str


class PhraseIndex:
    """Index that finds the longest of many phrases that starts at a given word.

    Args:
        phrases: Lower-case phrases, words separated by one space.
    """

    def __init__(self, phrases: Iterable[str]) -> None:
        self._phrases = frozenset(phrases)
        # First word -> the lengths (in words) of the phrases it opens, longest first.
        lengths: dict[str, set[int]] = {}
        for phrase in self._phrases:
            words = split_words(phrase)
            lengths.setdefault(words[0].key, set()).add(len(words))
        self._lengths: Mapping[str, list[int]] = {
            word: sorted(counts, reverse=True) for word, counts in lengths.items()
        }

    def longest_at(self, words: Sequence[Word], index: int) -> tuple[int, str] | None:
        """Return the end (exclusive word index) and key of the longest phrase, or ``None``."""
        for length in self._lengths.get(words[index].key, ()):
            end = index + length
            key = ' '.join([word.key for word in words[index:end]])
            if end <= len(words) and key in self._phrases:
                return end, key
        return None


def split_words(caption: str) -> list[Word]:
    """Split a caption into words and punctuation marks, in order.

    >>> [word.key for word in split_words("A man's T-shirt, blue.")]
    ['a', "man's", 't-shirt', ',', 'blue', '.']
    """
    return list(_split(caption))


@lru_cache(maxsize=64)  # several readers split one caption, one after the other
def _split(caption: str) -> tuple[Word, ...]:
    lowered = caption.lower()
    if len(lowered) != len(caption):  # a few letters change length; spans must not shift
        return tuple(Word(*m.span(), m.group().lower()) for m in _WORD.finditer(caption))
    return tuple(Word(*m.span(), m.group()) for m in _WORD.finditer(lowered))


def find_phrases(caption: str) -> list[Phrase]:
    """Find all lexicon phrases (colors, garments, synonyms) of a caption, left to right.

    At each word the longest phrase wins, and phrases never overlap.

    >>> [phrase.key for phrase in find_phrases('A man wears a dark gray tank top.')]
    ['man', 'wears', 'dark gray', 'tank top']
    """
    return find_phrases_in(split_words(caption))


def find_phrases_in(words: Sequence[Word]) -> list[Phrase]:
    """Find phrases as `find_phrases` does, for a caption that is already split."""
    index, found, i = _lexicon_index(), [], 0
    while i < len(words):
        match = index.longest_at(words, i)
        if match is None:
            i += 1
            continue
        end, key = match
        found.append(Phrase(words[i].start, words[end - 1].end, key))
        i = end
    return found


@cache
def _lexicon_index() -> PhraseIndex:
    return PhraseIndex([*colors(), *garments(), *details(), *synonym_table()])
