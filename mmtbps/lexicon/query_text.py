"""Normalisation of a sentence that somebody searches by, before any model's own cleaning.

Captions of a data set are never changed by it: it stands between what a person types and an
encoder, so that every encoder is handed the same sentence.
"""

import re
import unicodedata

__all__ = ['has_word', 'is_blank', 'normalize_query', 'plain_signs']

#: Before NFKC, which makes a space and a combining accent of a spacing one. The signs that word
#: processors put for the quotes, apostrophes and hyphens of a keyboard, and a letter without ink.
_PLAIN = {**dict.fromkeys(map(ord, '‘’‚‛′´ʹʼ‹›'), "'"), **dict.fromkeys(map(ord, '“”„‟″«»〃'), '"'),
          **dict.fromkeys(map(ord, '‐‑‒–−'), '-'), 0x2800: ' '}
#: Signs without ink that Unicode counts among letters and marks.
_INVISIBLE = frozenset(map(chr, (
    0x034f, 0x115f, 0x1160, 0x17b4, 0x17b5, *range(0x180b, 0x1810), 0x3164, 0xffa0,
    *range(0xfe00, 0xfe10), *range(0xe0100, 0xe01f0))))
#: Signs that shape the letter or the emoji before them; behind a Latin letter they do nothing.
_SHAPING = frozenset('\u200c\u200d\ufe0f')
_BEHIND_LATIN = '\u0300'
_PRINTED = re.compile('[!-~]')
#: Symbols that show nothing of the world: pictures of control signs, boxes and blocks, Braille, and
#: what stands in place of a sign that was lost.
_NO_PICTURE = re.compile('[\u2400-\u245f\u2500-\u25ff\u2800-\u28ff\ufffc\ufffd]')


def normalize_query(text: str) -> str:
    """Normalise a sentence: NFKC, plain quotes and hyphens, no signs without ink, single spaces.

    Args:
        text: As it was typed or pasted.

    Returns:
        The sentence; empty if nothing of it can be seen.

    Example:
        >>> normalize_query('a \u201cred\u201d  \uff43oat, the man\u2019s\u200b T\u2011shirt')
        'a "red" coat, the man\\'s T-shirt'
        >>> normalize_query('\u200b\ufeff')
        ''
    """
    kept: list[str] = []
    for sign in unicodedata.normalize('NFKC', text.translate(_PLAIN)):
        shaping = sign in _SHAPING and kept and kept[-1] >= _BEHIND_LATIN
        if shaping or sign.isspace() or _has_ink(sign):
            kept.append(sign)
    # What was removed may have kept a letter and its accent apart; NFKC makes apostrophes, too.
    return ' '.join(unicodedata.normalize('NFKC', ''.join(kept)).translate(_PLAIN).split())


def plain_signs(text: str) -> str:
    """Write quotes, hyphens and wide letters as a keyboard has them, each in its place.

    Example:
        >>> plain_signs('\uff4eo T\u2011shirt, isn\u00b4t')
        "no T-shirt, isn't"
    """
    if text.isascii():
        return text.replace('`', "'")
    plain = text.translate({**_PLAIN, ord('`'): "'"})
    return ''.join(one if len(one := unicodedata.normalize('NFKC', sign)) == 1 else sign
                   for sign in plain)


def is_blank(text: str) -> bool:
    """Tell whether nothing of a text can be seen.

    Example:
        >>> is_blank('a'), is_blank('\u200b \ufeff')
        (False, True)
    """
    return not _PRINTED.search(text) and not normalize_query(text)


def has_word(text: str) -> bool:
    """Tell whether a text holds a letter, a digit or an emoji.

    Example:
        >>> has_word('a coat'), has_word('?!'), has_word('\U0001f392')
        (True, False, True)
    """
    return any(category[0] in 'LN' and category != 'Lm' or category == 'So'
               for category in map(unicodedata.category, _NO_PICTURE.sub('', text)))


def _has_ink(sign: str) -> bool:
    return sign not in _INVISIBLE and unicodedata.category(sign) not in ('Cc', 'Cf')
