"""Items of several lists taken in turn, so that a cut after any number has of all alike."""

from collections.abc import Iterable, Sequence
from itertools import chain, zip_longest
from typing import TypeVar

__all__ = ['in_turn']

_Item = TypeVar('_Item')
_NONE = object()


def in_turn(lists: Iterable[Sequence[_Item]]) -> list[_Item]:
    """Take the first item of each list, then the second of each, and so on.

    >>> in_turn(['abc', 'd', 'ef'])
    ['a', 'd', 'e', 'b', 'f', 'c']
    """
    taken = chain.from_iterable(zip_longest(*lists, fillvalue=_NONE))
    return [item for item in taken if item is not _NONE]
