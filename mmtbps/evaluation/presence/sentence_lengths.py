"""Lengths of the sentences that a calibration is of; it says nothing of others."""

import re
from collections.abc import Sequence

import numpy as np

__all__ = ['count_words', 'describe_strange_length', 'usual_lengths', 'word_lengths']

#: Chinese and Japanese, which have no spaces: each character counts, as each word of others does.
_SIGN = '\u3041-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff'
_WORD = re.compile(rf"[^\W{_SIGN}_]+(?:['’-][^\W{_SIGN}_]+)*|(?!\W)[{_SIGN}]")
#: So many sentences of a hundred may be shorter, and as many longer.
_OUTSIDE = 1


def count_words(sentence: str) -> int:
    """Count the words of a sentence; where these are not set apart, its characters.

    Example:
        >>> count_words("a T-shirt, and the man's bag"), count_words('红色外套')
        (6, 4)
    """
    return len(_WORD.findall(sentence))


def usual_lengths(sentences: Sequence[str]) -> list[int]:
    """Return the shortest and the longest usual length of sentences, in words.

    One sentence of a hundred is shorter, and one is longer.

    Args:
        sentences: At least one.

    Example:
        >>> usual_lengths(['a red coat', 'a man in a red coat'])
        [3, 6]
    """
    counts = [count_words(sentence) for sentence in sentences]
    return [int(np.floor(np.percentile(counts, _OUTSIDE))),
            int(np.ceil(np.percentile(counts, 100 - _OUTSIDE)))]


def describe_strange_length(sentence: str, *lengths: Sequence[int] | None) -> str:
    """Word why calibrations say nothing of a sentence; empty where one does.

    Args:
        sentence: That was asked.
        *lengths: Shortest and longest of `usual_lengths`, for each calibration; None where they
            were not noted.

    Example:
        >>> describe_strange_length('red coat', [18, 45])
        'for sentences of 18 to 45 words, and this one has 2'
        >>> describe_strange_length('red coat', [18, 45], [1, 14])
        ''
    """
    count = count_words(sentence)
    if any(each is None or each[0] <= count <= each[1] for each in lengths):
        return ''
    known = ' or '.join(map(word_lengths, lengths))
    return f'for sentences of {known}, and this one has {count}'


def word_lengths(lengths: Sequence[int]) -> str:
    """Word the lengths of sentences.

    Example:
        >>> word_lengths([18, 45]), word_lengths([18, 18]), word_lengths([1, 1])
        ('18 to 45 words', '18 words', '1 word')
    """
    low, high = lengths
    return f'{low} to {high} words' if low != high else f'{low} word{"s" * (low != 1)}'
