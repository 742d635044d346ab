"""Answers one can act on: phrases that are checked, wishes that order, marks that move a query."""

from .phrases import (
    CHECKED,
    PhraseChecker,
    PhraseMark,
    TextCache,
    read_phrase_bounds,
    write_phrase_bounds,
)
from .wishes import Wishes, order_by_marks, read_must

__all__ = ['CHECKED', 'PhraseChecker', 'PhraseMark', 'TextCache', 'Wishes', 'order_by_marks',
           'read_must', 'read_phrase_bounds', 'write_phrase_bounds']
