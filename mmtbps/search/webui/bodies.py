"""Bodies of requests, checked before Gradio reads them."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from mmtbps.errors import printable

__all__ = ['MAX_BODY', 'refuse_body', 'refuse_event']

#: A request is small: sentences, filters, names of uploaded files.
MAX_BODY = 2**18
_CALL = re.compile(r'/gradio_api/call/(?P<plain>v2/)?(?P<name>[^/]*)/?')
_SESSION = re.compile(r'[\w.-]{1,100}', re.ASCII)


def refuse_body(body: bytes) -> str | None:
    """Return the reason to refuse the body of a request, or ``None`` to pass it.

    Example:
        >>> refuse_body(b'{"data": [{"path": "https://example.org/x.jpg"}]}')
        'A file is uploaded, never fetched from an address.'
        >>> refuse_body(b'{"data": ["a path to https://example.org"]}') is None
        True
    """
    try:
        fetches = any('://' in path for path in _paths(json.loads(body or b'null')))
    except (ValueError, RecursionError):
        return 'The request is no JSON.'
    return 'A file is uploaded, never fetched from an address.' if fetches else None


def refuse_event(body: bytes, path: str, events: Mapping[int | str, int] | None) -> str | None:
    """Return the reason to refuse a request for an event of the page, or ``None`` to pass it.

    Args:
        body: JSON.
        path: Of the request; one that is for no event passes.
        events: How many values an event takes, by its number, and by name for those that programs
            may call; ``None`` passes any.

    Example:
        >>> refuse_event(b'{"fn_index": 9, "data": []}', '/gradio_api/queue/join', {0: 2})
        'The page has no event 9.'
    """
    call = _CALL.fullmatch(path)
    if not call and path.rstrip('/') != '/gradio_api/queue/join':
        return None
    values = json.loads(body or b'null')
    if not isinstance(values, dict):
        return 'The request is no JSON object.'
    event = call['name'] if call else values.get('fn_index')
    if events is not None and (type(event) not in (int, str) or event not in events):
        return f'The page has no event {printable(repr(event)[:100])}.'
    data = values.get('data')
    if not (call and call['plain']) and not (
            isinstance(data, list) and len(data) == (events or {}).get(event, len(data))):
        return 'The request has no list of as many data as the event takes.'
    session, place = values.get('session_hash'), values.get('trigger_id')
    if session is not None and not (isinstance(session, str) and _SESSION.fullmatch(session)):
        return 'The request has no usable session_hash.'
    if not isinstance(values.get('event_data') or {}, dict) or not isinstance(place or 0, int):
        return 'The request has no usable event_data or trigger_id.'
    return None


def _paths(value: Any) -> Iterator[str]:
    """Yield every text under a key ``path``, however deep."""
    if isinstance(value, dict):
        if isinstance(value.get('path'), str):
            yield value['path']
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _paths(item)
