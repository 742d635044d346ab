"""Output that survives strangers' text, such as names of files from another system."""

import json
import sys
from typing import Any

from mmtbps.errors import printable

__all__ = ['as_json', 'escape_what_cannot_be_printed']


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
    text = json.dumps(value, indent=2, ensure_ascii=not unicode)
    return '\n'.join(printable(line, json.dumps) for line in text.split('\n'))
