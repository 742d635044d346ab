"""Output that survives strangers' text, such as names of files from another system."""

import sys
from typing import TYPE_CHECKING, Any

from mmtbps.errors import printable
from mmtbps.fileio import encode_json

if TYPE_CHECKING:
    from mmtbps.search.results import SearchResult

__all__ = ['as_json', 'escape_what_cannot_be_printed', 'word_result']


def escape_what_cannot_be_printed() -> None:
    """Let standard output and error write a sign that their encoding lacks as an escape.

    A console or a pipe of another encoding than UTF-8, as on Windows, would lose the whole answer
    for one foreign name.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, 'reconfigure'):
            stream.reconfigure(errors='backslashreplace')


def as_json(value: Any, encoding: str | None = 'utf-8') -> str:
    """Format a value as JSON that reads back as the same in any encoding and any terminal.

    Args:
        value: Of JSON types.
        encoding: Of the output; one that is not UTF-8 gets every foreign sign as an escape.

    Example:
        >>> as_json({'name': 'Größe'}), as_json('\\x9b服', 'cp1252')
        ('{\\n  "name": "Größe"\\n}', '"\\\\u009b\\\\u670d"')
    """
    unicode = (encoding or '').lower().replace('_', '-') in ('utf-8', 'utf8')
    return encode_json(value, 2, ascii_only=not unicode)


def word_result(result: 'SearchResult') -> str:
    """Word the answer to a query as a table, whose lines no name of a file can forge."""
    from mmtbps.search.presentation import describe_presence, in_figures, in_marks, in_words
    lines = [printable(result.title if len(result.title) < 200 else result.title[:200] + ' ...')]
    if presence := describe_presence(result.presence):
        lines.append(f'      {presence}')
    for hit in result.hits:
        facts = '  '.join(f'{name} {value}' for name, value in in_words(hit.entry)
                          if name != 'file')
        score = in_figures(hit.score, hit.probability, hit.match, hit.estimate)
        marks = f'  [{in_marks(hit.marks)}]' if hit.marks else ''
        others = f'  ({others})' if (others := hit.describe_others()) else ''
        lines.append(printable(f'{hit.rank:>4}  {score}  {hit.entry.path}  {facts}'.rstrip()
                               + marks + others))
    return '\n'.join(lines if result.hits else [*lines, '      nothing found'])
