"""Words that are a color only before what is worn: "plum coat", "a slate shirt"."""

from collections.abc import Sequence

from .grammar import ColorTerm, color_term, noun_at
from .phrases import Word
from .vocabulary import garments, read_table

__all__ = ['COLORED', 'asked_color', 'either_color', 'seldom_color']

#: Where what is worn has such a color: no wine bag, no wine glasses.
COLORED = frozenset({'upper', 'lower', 'full', 'shoes', 'hat'})


def seldom_color(word: str) -> tuple[str, ...]:
    """Return the basic colors of a word that is seldom one; none for others.

    >>> seldom_color('plum'), seldom_color('red')
    (('purple',), ())
    """
    return tuple(read_table('asked')['seldom_colors'].get(word, ()))


def asked_color(words: Sequence[Word], i: int) -> ColorTerm | None:
    """Read a color of a query at a word, one of those before what is worn as well.

    >>> from mmtbps.lexicon import split_words
    >>> asked_color(split_words('plum coat'), 0).bases, asked_color(split_words('a plum'), 1)
    (('purple',), None)
    """
    term = color_term(words, i)
    bases = seldom_color(words[i].key) if term is None else ()
    noun = noun_at(words, i + 1) if bases and i + 1 < len(words) else None
    worn = noun is not None and noun.key in garments() and (
        garments()[noun.key].region in COLORED)
    return ColorTerm(i, i + 1, bases) if worn else term


def either_color(words: Sequence[Word], i: int) -> ColorTerm | None:
    """Read a color of a query at a word, and those that may be in its place.

    >>> from mmtbps.lexicon import split_words
    >>> either_color(split_words('not red or blue'), 1)
    ColorTerm(start=1, end=4, bases=('red', 'blue'))
    """
    term = asked_color(words, i)
    while term is not None and term.end + 1 < len(words) and (
            words[term.end].key in ('or', 'nor')) and (
            other := asked_color(words, term.end + 1)) is not None:
        term = ColorTerm(i, other.end, (*term.bases, *other.bases))
    return term
