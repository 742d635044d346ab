"""Words for what surrounds a person, and for what the person does."""

from functools import cache

from .phrases import split_words
from .vocabulary import read_table

__all__ = ['scene_word', 'scene_words']


@cache
def scene_words(kind: str) -> frozenset[str]:
    """Return the words that tell something of a kind of scene.

    Args:
        kind: ``'background'``, ``'weather'``, ``'style'`` of the picture, or ``'posture'``.

    Raises:
        KeyError: If there is no such kind.
    """
    return frozenset(read_table('scenes')[kind])


def scene_word(kind: str, caption: str) -> str | None:
    """Find the first word of a caption that tells something of a kind of scene.

    The caption may be false after an edit of that kind. Words with other meanings count too:
    a floor-length dress is taken for a floor.

    >>> scene_word('weather', 'A man in a red coat, on a rainy day.')
    'rainy'
    >>> scene_word('background', 'A man in a red coat, on a rainy day.') is None
    True
    """
    known = scene_words(kind)
    return next((part for word in split_words(caption) for part in (word.key, *word.key.split('-'))
                 if part in known), None)
