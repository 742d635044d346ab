"""Words of a query that say by themselves what is not there: "hatless", "carrying nothing"."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

from .attributes import garment_type
from .grammar import FUNCTION_WORDS, body_place_end
from .phrases import PhraseIndex, Word
from .vocabulary import garments, read_table

__all__ = ['Lacking', 'find_lacking', 'without_nothing']

_EXCEPT = frozenset('but than'.split())
_WITHOUT = ('{}less', '{}-less', '{}-free', '{} free')
_PLACES = frozenset('in on at over under around'.split())
_WHOSE = ('', 'a', 'the', 'his', 'her', 'their', 'my')


class Lacking(NamedTuple):
    """A thing that is not there, by word indices.

    Args:
        first: Its first word.
        last: The word after its last.
        name: Of the thing: ``'bag'``.
        said: Whether these words say that it is not there; a negation before "anything" does.
    """

    first: int
    last: int
    name: str
    said: bool


def find_lacking(words: Sequence[Word]) -> list[Lacking]:
    """Find "hatless", "bag-free", "carrying nothing" and "carrying anything".

    >>> from mmtbps.lexicon import split_words
    >>> found = find_lacking(split_words('bareheaded, with nothing in her hands'))
    >>> [(each.name, each.first, each.last) for each in found]
    [('hat', 0, 1), ('bag', 3, 7)]
    """
    found: list[Lacking] = []
    for i in range(len(words)):
        match = _index().longest_at(words, i)
        if match is not None and i >= (found[-1].last if found else 0) and (
                match[1] in _told() or _says_no_more(words, match[0])):
            found.append(Lacking(i, match[0], *_forms()[match[1]]))
    return found


def without_nothing(words: Sequence[Word], lacking: Sequence[Lacking]) -> list[Word]:
    """Take the negation out of "carrying nothing": it reaches no farther than what it says."""
    inside = {i for each in lacking for i in range(each.first, each.last)}
    return [word._replace(key='thing') if i in inside else word for i, word in enumerate(words)]


def _says_no_more(words: Sequence[Word], end: int) -> bool:
    """Tell whether nothing is said of what is not held, not even where: "in his left hand"."""
    if end == len(words) or words[end].is_punctuation:
        return True
    key = words[end].key
    return key in FUNCTION_WORDS and key not in _EXCEPT and not (
        key in _PLACES and body_place_end(words, end + 1) > end + 1)


@cache
def _index() -> PhraseIndex:
    return PhraseIndex(_forms())


@cache
def _told() -> Mapping[str, str]:
    """Map "hatless" and "bag-free" to what is not there."""
    told = {written.format(form): garment_type(form)
            for form in garments() for written in _WITHOUT}
    return {**told, **read_table('asked')['lacking']}


@cache
def _forms() -> Mapping[str, tuple[str, bool]]:
    """Map every form to what is not there, and whether the form itself says so."""
    table = read_table('asked')
    forms = {form: (name, True) for form, name in _told().items()}
    for name, held in table['held'].items():
        places = [_join(held['at'], whose, part) for whose in _WHOSE for part in held['parts']]
        for thing, said in ('nothing', True), ('anything', False):
            verbs = held['verbs']
            told = [*(_join(verb, thing, place) for verb in ('', *verbs) for place in places),
                    *(_join(verb, thing) for verb in verbs if held['alone'])]
            forms.update(dict.fromkeys(told, (name, said)))
    return forms


def _join(*words: str) -> str:
    return ' '.join(filter(None, words))
