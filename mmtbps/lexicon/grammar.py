"""Classes of words, and the pieces of a noun phrase that can be read at a place of a caption."""

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from .phrases import PhraseIndex, Word
from .vocabulary import Garment, colors, details, garments, read_table

JOINERS = frozenset({'and', 'or', '&', '/', ','})
COPULAS = frozenset('is are was were be being to appears appear seems seem'.split())
RELATIVES = frozenset({'that', 'which'})
FILLERS = frozenset({'and', 'also', 'both', 'all'})
AUXILIARIES = frozenset('is are was were do does did has have had can could'.split())
#: The sign of logic stands for what a query excludes: "coat -hat".
NEGATORS = frozenset('no not without never neither nor none nothing cannot lacks lacking ¬'.split())
#: A noun phrase does not run across these.
FUNCTION_WORDS = FILLERS | COPULAS | RELATIVES | AUXILIARIES | NEGATORS | frozenset(
    'a an the his her their its he she they it this these those who whose but or with in on of for '
    'at by from as while over under beneath underneath near behind beside around through across '
    'wearing wears wear sporting carrying carries holding holds dressed has having along into onto '
    'there then than'.split())
# Forms of a garment's name that are a verb before this word: "she dresses in red".
_VERB_BEFORE = {'dresses': 'in', 'suits': 'her', 'tops': 'it'}


class ColorTerm(NamedTuple):
    """One color of a run, as word indices, and the basic colors it names."""

    start: int
    end: int
    bases: tuple[str, ...]


class Noun(NamedTuple):
    """A noun of the lexicon, as word indices; ``key`` is the lexicon's form of it."""

    start: int
    end: int
    key: str


def color_term(words: Sequence[Word], i: int) -> ColorTerm | None:
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
    return ColorTerm(start, i, bases)


def is_spoken(word: Word) -> bool:
    """Tell whether a word is no sign and no function word."""
    return not word.is_punctuation and word.key not in FUNCTION_WORDS


def ends_noun_phrase(words: Sequence[Word], i: int) -> bool:
    """Tell whether no noun phrase runs across the word at ``i``."""
    return not is_spoken(words[i]) or color_term(words, i) is not None


def noun_at(words: Sequence[Word], i: int) -> Noun | None:
    """Read the longest noun of the lexicon that begins at word ``i``."""
    match = _noun_index().longest_at(words, i)
    if match is None:
        return None
    following = words[match[0]].key if match[0] < len(words) else ''
    verb_before = _VERB_BEFORE.get(match[1])
    return None if verb_before == following and verb_before else Noun(i, *match)


def noun_chain_at(words: Sequence[Word], i: int) -> Noun | None:
    """Read nouns that stand together at word ``i``, of which the last is the head: "suit jacket".

    >>> from mmtbps.lexicon import split_words
    >>> noun_chain_at(split_words('suit jacket sleeves'), 0).key
    'sleeves'
    """
    head = noun = noun_at(words, i)
    while noun is not None and noun.end < len(words):
        noun = noun_at(words, noun.end)
        head = noun or head
    return head and Noun(i, head.end, head.key)


def noun_ending_at(words: Sequence[Word], i: int) -> Noun | None:
    """Read the noun of the lexicon whose last word is the one at ``i``."""
    for start in (i - 1, i):  # nouns have two words at most
        noun = noun_at(words, start) if start >= 0 else None
        if noun and noun.end == i + 1:
            return noun
    return None


def body_place_end(words: Sequence[Word], i: int) -> int:
    """Find the end of "his left hand", a part of the body, from word ``i`` on; else ``i``.

    >>> from mmtbps.lexicon import split_words
    >>> body_place_end(split_words('in his left hand'), 1), body_place_end(split_words('in red'), 1)
    (4, 1)
    """
    return next((m + 1 for m in range(i, min(i + 3, len(words)))
                 if words[m].key in _body_places()), i)


@cache
def _body_places() -> frozenset[str]:
    return frozenset((*read_table('reading')['body_parts'], 'back'))


@cache
def noun_table() -> dict[str, Garment]:
    """Map every noun that a color may describe to its entry."""
    return {**garments(), **details()}


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
def _noun_index() -> PhraseIndex:
    return PhraseIndex(noun_table())
