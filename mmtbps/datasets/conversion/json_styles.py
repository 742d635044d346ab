"""Layout of the text of a JSON file, so that it can be written again byte for byte."""

import json
from collections.abc import Sequence
from itertools import product
from typing import Any, NamedTuple

__all__ = ['JsonStyle', 'encode_records', 'find_style', 'read_style']

_INDENTS = None, 1, 2, 4


class JsonStyle(NamedTuple):
    """Layout of the text of records.

    Args:
        lines: one record a line, without a list around them.
        indent: blanks of a level; None for no line breaks.
        compact: no blanks after commas and colons.
        ascii_only: signs beyond ASCII as escapes.
        newline: at the end.
    """

    lines: bool
    indent: int | None = None
    compact: bool = False
    ascii_only: bool = True
    newline: bool = False


def encode_records(records: Sequence[Any], style: JsonStyle) -> bytes:
    """Encode records as a file.

    Example:
        >>> encode_records([dict(id=1), dict(id=2)], JsonStyle(lines=True, newline=True))
        b'{"id": 1}\\n{"id": 2}\\n'
    """
    separators = (',', ':') if style.compact else (',' if style.indent is not None else ', ', ': ')

    def encode(value: Any) -> bytes:
        try:
            return dump(value, style.ascii_only).encode()
        except UnicodeEncodeError:  # half of a letter, which UTF-8 does not have
            return dump(value, True).encode()

    def dump(value: Any, ascii_only: bool) -> str:
        return json.dumps(value, indent=style.indent, separators=separators,
                          ensure_ascii=ascii_only)

    text = b'\n'.join(map(encode, records)) if style.lines else encode(list(records))
    return text + b'\n' * style.newline


def find_style(content: bytes, records: Sequence[Any], lines: bool) -> JsonStyle | None:
    """Find the style by which records become a file again, byte for byte; None if there is none.

    Args:
        content: of the file.
        records: of it.
        lines: whether it has one record a line.

    Example:
        >>> find_style(b'[\\n  {\\n    "id": 1\\n  }\\n]', [dict(id=1)], lines=False).indent
        2
    """
    newline = content.endswith(b'\n')
    indents = (None, ) if lines else _INDENTS
    for indent, compact, ascii_only in product(indents, (False, True), (True, False)):
        style = JsonStyle(lines, indent, compact, ascii_only, newline)
        # The first record tells most of them apart, without encoding all.
        beginning = encode_records(records[:1], style._replace(newline=False)).rstrip(b'\n]')
        if content.startswith(beginning) and encode_records(records, style) == content:
            return style
    return None


def read_style(values: Any) -> JsonStyle | None:
    """Read a style that `find_style` could have found; None for anything else of a stranger.

    Example:
        >>> read_style(JsonStyle(lines=False, indent=4)._asdict()).indent, read_style(dict(lines=9))
        (4, None)
    """
    if not isinstance(values, dict) or values.keys() != set(JsonStyle._fields):
        return None
    style = JsonStyle(**values)
    plain = all(isinstance(value, bool) for value in style._replace(indent=False))
    return style if plain and any(style.indent is known or (
        type(style.indent) is int and style.indent == known) for known in _INDENTS) else None
