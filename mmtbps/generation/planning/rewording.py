"""Exchange of a name in a caption, with its article, number and capitals."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mmtbps.lexicon import (
    Word,
    WornItem,
    article_edit,
    indefinite_article,
    with_case_of,
    write_type,
)
from mmtbps.lexicon.grammar import (
    AUXILIARIES,
    COPULAS,
    FUNCTION_WORDS,
    JOINERS,
    RELATIVES,
    color_term,
)
from mmtbps.lexicon.vocabulary import read_table

__all__ = ['TextEdit', 'apply_edits', 'exchange_name', 'replace_words', 'suits_other_types']

_OWN = frozenset('the his her their its'.split())
_PRONOUNS = frozenset('they them these those both it its this one'.split())
# "Shorts, which are blue", "shorts and are blue": verbs that may be of the noun before.
_OTHER_VERBS = COPULAS | AUXILIARIES | RELATIVES
_SINGULAR = {'are': 'is', 'were': 'was'}
_PLURAL = {'is': 'are', 'was': 'were'}
# "T-shirt" has its capital anywhere.
_T = re.compile(r'T[- ]?shirts?|Tee[- ]?shirts?')


class TextEdit(NamedTuple):
    """New text in the place of ``[start, end)`` of a caption."""

    start: int
    end: int
    text: str


def apply_edits(caption: str, edits: Iterable[TextEdit]) -> str:
    """Write a caption with edits, which must not overlap.

    >>> apply_edits('A red coat.', [TextEdit(6, 10, 'parka'), TextEdit(2, 5, 'blue')])
    'A blue parka.'
    """
    pieces, position = [], 0
    for start, end, text in sorted(edits):
        pieces += [caption[position:start], text]
        position = end
    return ''.join([*pieces, caption[position:]])


def replace_words(caption: str, words: Sequence[Word], start: int, end: int,
                  text: str) -> list[TextEdit]:
    """Put a text in the place of the words ``[start, end)`` and make the article before it agree.

    With ``end == start`` the text comes before the word at ``start``.
    """
    article = article_edit(caption, words, start, text)
    edits = [TextEdit(*article)] if article else []
    if start == end:
        here = words[start]
        original = caption[here.start:here.end]
        if _opens(words, start):
            following = original if original.isupper() or words[start].key == 't-shirt' else (
                original[0].lower() + original[1:])
            return [TextEdit(here.start, here.end, f'{with_case_of(original, text)} {following}')]
        titled = caption[words[start - 1].start].isupper() and original[0].isupper()
        text = text.upper() if caption.isupper() else text.title() if titled else text
        return [*edits, TextEdit(here.start, here.start, f'{text} ')]
    old = TextEdit(words[start].start, words[end - 1].end, '')
    original = caption[old.start:old.end]
    named = _T.fullmatch(original) and not _opens(words, start)
    return [*edits, old._replace(text=text if named else with_case_of(original, text))]


def exchange_name(caption: str, words: Sequence[Word], item: WornItem,
                  new: str) -> list[TextEdit] | None:
    """Put another type in the place of a garment's name; ``None`` if the sentence may not bear it.

    Args:
        caption: The caption.
        words: Its words.
        item: The garment.
        new: The type.
    """
    if not suits_other_types(words, item):
        return None
    # "Shorts" are one thing: a plural only where there is a singular.
    text, plural = write_type(new, item.plural and not write_type(item.type, False).plural)
    edits = replace_words(caption, words, item.name, item.last, text)
    if plural == item.plural:
        return edits
    if any(word.key in _PRONOUNS for word in words):
        return None  # "She wears shorts. They are blue."
    place = edits[-1]
    following = text if item.name == item.first else caption[words[item.first].start:]
    before = _to_plural(caption, words, item) if plural else _to_singular(
        caption, words, item, following)
    after = _agree(caption, words, item, _PLURAL if plural else _SINGULAR)
    return None if before is None or after is None else [*before, place, *after]


def suits_other_types(words: Sequence[Word], item: WornItem) -> bool:
    """Tell whether every word before a garment's name may stand before another one's."""
    kept = read_table('attributes')['kept_modifiers']
    known = {m for p in item.patterns for m in range(p.start, p.end)}
    known |= {m for start in range(item.first, item.name) if (term := color_term(words, start))
              for m in range(term.start, term.end)}
    return all(m in known or words[m].key in kept or words[m].key in JOINERS
               for m in range(item.first, item.name))


def _opens(words: Sequence[Word], i: int) -> bool:
    """Tell whether the word at ``i`` is the first of a sentence."""
    return i == 0 or words[i - 1].key in ('.', '!', ';', '?')


def _to_singular(caption: str, words: Sequence[Word], item: WornItem,
                 following: str) -> list[TextEdit] | None:
    """Make "a pair of shorts" or "shorts" one thing."""
    first = item.first
    before = [word.key for word in words[max(first - 3, 0):first]]
    if before[-2:] == ['pair', 'of']:
        if before[0] != 'a':
            return None
        article = words[first - 3]
        edit = TextEdit(words[first - 2].start, words[first].start, '')
        new = with_case_of(caption[article.start:article.end], indefinite_article(following),
                           caption)
        return [TextEdit(article.start, article.end, new), edit]
    if before[-1:] and before[-1] in _OWN:
        return []
    if _opens(words, first) or before[-1] not in FUNCTION_WORDS | {','} or (
            before[-1] in ('a', 'an', 'these', 'those', 'both', 'all', 'of')):
        return None
    article = indefinite_article(following)
    start = words[first].start
    return [TextEdit(start, start, f'{article.upper() if caption.isupper() else article} ')]


def _to_plural(caption: str, words: Sequence[Word], item: WornItem) -> list[TextEdit] | None:
    """Make "a skirt" a pair of something."""
    if not item.first:
        return []
    start, end, key = words[item.first - 1]
    if key in ('a', 'an'):
        return [TextEdit(start, end, with_case_of(caption[start:end], 'a pair of', caption))]
    return [] if key in FUNCTION_WORDS - {'this', 'it'} or not key[0].isalnum() else None


def _agree(caption: str, words: Sequence[Word], item: WornItem,
           numbers: dict[str, str]) -> list[TextEdit] | None:
    """Make the verb after a noun agree with it; ``None`` if it may be one that does not."""
    after = [word.key for word in words[item.last:item.last + 3]]
    if not after:
        return []
    if after[0] in numbers:
        before = words[max(item.first - 2, 0):item.first]
        joined = any(word.key in JOINERS for word in before)  # "her belt and shorts are"
        start, end, key = words[item.last]
        return None if joined else [TextEdit(start, end, with_case_of(
            caption[start:end], numbers[key]))]
    goes_on = words[item.last].is_punctuation or after[0] in FUNCTION_WORDS
    return [] if goes_on and not set(after) & _OTHER_VERBS else None
