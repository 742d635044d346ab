"""Words of captions as a filter: those in which all of some words stand, or a phrase.

- ``{'caption': 'red coat'}``: both words, anywhere
- ``{'caption': '"red coat" backpack'}``: one word after the other, and a third anywhere
- ``{'caption': ['backpack', 'suitcase']}``: one of them

It holds for galleries with captions; in any other, ``caption`` is a free key as all free keys are.
Every gallery compares the same words: letters and digits, in small letters.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from mmtbps.errors import BadValue

from .filters import Condition

__all__ = ['Words', 'spaced_words', 'words_of_captions']

_PART = re.compile('"([^"]*)"|([^"]+)')


@dataclass(frozen=True, slots=True)
class Words(Condition):
    """Condition that a caption has all words and phrases of one of several choices.

    Args:
        key: ``'caption'``.
        choices: Of each, the phrases as of `spaced_words`.
    """

    key: str
    choices: tuple[tuple[str, ...], ...]

    @property
    def free(self) -> bool:
        """False: a caption is a column of its own."""
        return False

    def select(self, entries: Sequence[Any]) -> list[bool]:
        """Tell for each entry whether it passes."""
        texts = ['' if value is None else spaced_words(value) for value in self.values_of(entries)]
        return [any(all(part in text for part in parts) for parts in self.choices)
                for text in texts]


@lru_cache(maxsize=1 << 15)
def spaced_words(text: str) -> str:
    """Write the words of a text in small letters, a space around each.

    Args:
        text: A caption or a phrase.

    Example:
        >>> spaced_words('A man, in a Red T-shirt.')
        ' a man in a red t shirt '
    """
    words = re.findall(r'\w+', unicodedata.normalize('NFKC', text).casefold())
    return f' {" ".join(words)} ' if words else ''


def words_of_captions(conditions: Sequence[Condition]) -> tuple[Condition, ...]:
    """Read the values of ``caption`` in a filter as words.

    Args:
        conditions: Of a gallery with captions.

    Raises:
        BadValue: A value has no word.

    Example:
        >>> from mmtbps.search.galleries.filters import read_where
        >>> words_of_captions(read_where({'caption': 'black "red coat"'}))
        (Words(key='caption', choices=((' black ', ' red coat '),)),)
    """
    return tuple(Words(each.key, tuple(map(_phrases, each.values))) if each.key == 'caption'
                 else each for each in conditions)


def _phrases(text: str) -> tuple[str, ...]:
    found = [part for quoted, loose in _PART.findall(text)
             for part in ([quoted] if quoted else loose.split())]
    phrases = tuple(filter(None, map(spaced_words, found)))
    if not phrases:
        raise BadValue(f'filter: no word of a caption in {text!r}')
    return phrases
