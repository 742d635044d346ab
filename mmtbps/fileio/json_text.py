"""JSON that says one thing only."""

import json
from typing import Any

__all__ = ['decode_json']


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
    return json.loads(text, object_pairs_hook=_as_dict)


def _as_dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        seen: dict[str, Any] = {}
        for key, value in pairs:
            if key in seen:
                raise ValueError(f'key {key!r} stands twice in one object, with '
                                 f'{str(seen[key])[:60]} and with {str(value)[:60]}')
            seen[key] = value
    return values
