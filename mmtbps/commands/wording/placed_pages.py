"""Pages of the documentation that a message names, with the place where they lie."""

import re
from pathlib import Path

__all__ = ['place_pages']

_PAGE = re.compile(r'(?<![\w/.-])docs/[\w/]+\.md')
_PACKAGE = Path(__file__).resolve().parents[2]


def place_pages(text: str) -> str:
    """Write the whole path of each page that a text names, unless it lies in the current folder.

    A wheel carries the pages, so that whoever has no checkout can read them, without a network.

    Args:
        text: names pages as ``docs/faq.md``, with or without a heading behind ``#``.

    Example:
        >>> place_pages('see docs/faq.md').endswith('docs/faq.md')
        True
    """
    return _PAGE.sub(_place, text)


def _place(match: re.Match) -> str:
    if Path(match[0]).is_file():
        return match[0]
    places = (_PACKAGE / '.mim' / match[0], _PACKAGE.parent / match[0])
    return str(next((place for place in places if place.is_file()), match[0]))
