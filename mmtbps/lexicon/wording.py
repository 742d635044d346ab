"""Capitals and articles of words that take the place of others in a caption."""

from collections.abc import Sequence

from .phrases import Word
from .vocabulary import indefinite_article

_ARTICLES = frozenset({'a', 'an'})
_OPENERS = frozenset('"\'“‘(«')


def with_case_of(original: str, text: str, caption: str = '') -> str:
    """Write a text in the capitals of the one it replaces.

    Args:
        original: The words replaced.
        text: The words in their place.
        caption: Their caption; says whether a capital alone (``'A'``) is a word in capitals.

    >>> with_case_of('RED', 'orange'), with_case_of('Red', 'orange'), with_case_of('red', 'orange')
    ('ORANGE', 'Orange', 'orange')
    >>> with_case_of('A', 'an', 'A coat.'), with_case_of('A', 'an', 'A COAT.')
    ('An', 'AN')
    """
    if original.isupper() and (len(original) > 1 or caption.isupper()):
        return text.upper()
    return text[0].upper() + text[1:] if original[0].isupper() else text


def article_edit(caption: str, words: Sequence[Word], i: int,
                 following: str) -> tuple[int, int, str] | None:
    """Make the article that ends before word ``i`` agree with the text to come after it.

    Args:
        caption: The caption.
        words: Its words.
        i: Index of the word that ``following`` replaces; between them may stand a quote.
        following: The text that is to come after the article.

    Returns:
        Start, end and new text of the article; ``None`` if there is none, or it agrees.
    """
    m = i - 1
    while m > 0 and words[m].key in _OPENERS:
        m -= 1
    if m < 0 or words[m].key not in _ARTICLES or not following[0].isalnum():
        return None
    start, end, key = words[m]
    article = indefinite_article(following)
    if article == key:
        return None
    return start, end, with_case_of(caption[start:end], article, caption)
