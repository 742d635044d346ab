"""JSON that says one thing only, to programs and to whoever looks at it in a terminal."""

import json
from typing import Any

from mmtbps.errors import printable

__all__ = ['as_dict', 'decode_json', 'encode_json']


def encode_json(value: Any, indent: int | None = None, ascii_only: bool = False) -> str:
    """Encode a value as JSON of which nothing acts on a terminal or ends a line elsewhere.

    It reads back as the same. Names of strangers' files may hold such signs, or half characters,
    which no encoding of a file takes.

    Args:
        value: Of JSON types.
        indent: Blanks of each level; ``None`` for a single line.
        ascii_only: Whether every sign beyond ASCII is written as an escape.

    Raises:
        ValueError: It holds NaN or infinity, which JSON does not know.

    Example:
        >>> encode_json({'name': 'Größe\\u2028\\x9b'})
        '{"name": "Größe\\\\u2028\\\\u009b"}'
    """
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only, allow_nan=False)
    return '\n'.join(printable(line, json.dumps) for line in text.split('\n'))


def decode_json(text: str) -> Any:
    """Decode JSON, in which no object has a key twice.

    Python itself takes the last of two values, other programs the first.

    Args:
        text: the JSON.

    Raises:
        ValueError: it is broken, has a key twice, or a number of thousands of digits.
        RecursionError: it is nested too deeply.

    Example:
        >>> decode_json('{"id": 1, "id": 2}')
        Traceback (most recent call last):
        ValueError: key 'id' stands twice in one object, with 1 and with 2
    """
    return json.loads(text, object_pairs_hook=as_dict)


def as_dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of its pairs, of which no two have one key.

    Args:
        pairs: keys and values in the order of the text.

    Raises:
        ValueError: a key stands twice.

    Example:
        >>> as_dict([('id', 1), ('split', 'val')])
        {'id': 1, 'split': 'val'}
    """
    values = dict(pairs)
    if len(values) < len(pairs):
        seen: dict[str, Any] = {}
        for key, value in pairs:
            if key in seen:
                raise ValueError(f'key {key!r} stands twice in one object, with '
                                 f'{str(seen[key])[:60]} and with {str(value)[:60]}')
            seen[key] = value
    return values
