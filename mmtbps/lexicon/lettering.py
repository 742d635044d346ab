"""Text that stands on clothes or signs in a caption: 'a shirt that says "red coat"'."""

from collections.abc import Sequence

from .phrases import Word
from .vocabulary import read_table

_QUOTES = frozenset('"\'“”„«»‘’')


def quotations_in(words: Sequence[Word]) -> list[tuple[int, int]]:
    """Find the character spans between quotation marks; not a caption that is one as a whole.

    An apostrophe and an inch mark end what they stand at, so they begin nothing.

    >>> from mmtbps.lexicon import split_words
    >>> quotations_in(split_words('A 5\\'8" man with a "red coat" print.'))
    [(18, 28)]
    """
    spans, opened = [], None
    for i, word in enumerate(words):
        if word.key not in _QUOTES:
            continue
        if opened is None:
            before = words[i - 1] if i else None
            apart = before is None or before.end < word.start or before.key in '(['
            if apart and i + 1 < len(words) and words[i + 1].start == word.end:
                opened = i
        elif words[i - 1].end == word.start:
            if opened:
                spans.append((words[opened].start, word.end))
            opened = None
    return spans


def is_lettering(described: Sequence[Word]) -> bool:
    """Tell whether words before a noun say that it is written: "the words black coat".

    >>> from mmtbps.lexicon import split_words
    >>> is_lettering(split_words('says black'))
    True
    """
    return any(word.key in read_table('reading')['written'] for word in described)
