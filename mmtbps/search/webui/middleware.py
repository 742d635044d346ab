"""Filter of requests between the network and the page.

Gradio can do more than the page needs: serve files, fetch addresses it is given, relay to other
hosts. The filter passes the requests that the page makes and no others, and tells the browser to
load nothing from anywhere else either.
"""

import json
from collections.abc import Iterator
from typing import Any

__all__ = ['RequestFilter']

#: A request is small: sentences, filters, names of uploaded files.
MAX_BODY = 2**18
_PATHS = {'/', '/config', '/config/', '/theme.css', '/favicon.ico', '/manifest.json',
          '/robots.txt'}
_FOLDERS = ('/assets/', '/static/')
_API = ('info', 'openapi.json', 'app_id', 'startup-events', 'theme.css', 'upload',
        'upload_progress', 'queue/join', 'queue/data', 'cancel', 'reset')
_API_FOLDERS = ('call/', 'run/', 'api/', 'heartbeat/')
_HEADERS = {
    b'content-security-policy': (
        b"default-src 'self'; img-src 'self' data: blob:; font-src 'self' data:; "
        b"style-src 'self' 'unsafe-inline'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
        b"object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"),
    b'x-content-type-options': b'nosniff',
    b'referrer-policy': b'no-referrer',
    b'x-dns-prefetch-control': b'off',
}


class RequestFilter:
    """ASGI middleware that refuses requests the page does not need.

    Answers 404 to every route but those of the page and its API, so that no file can be asked
    for; 413 to a long request and 400 to one that names an address to fetch a file from.

    Args:
        app: The application behind the filter.
        uploads: Whether visitors may send files.
    """

    def __init__(self, app: Any, uploads: bool = False) -> None:
        self.app = app
        self.uploads = uploads

    async def __call__(self, scope: dict, receive: Any, send: Any) -> None:
        """Serve one connection."""
        if scope['type'] != 'http':
            # Nothing here speaks WebSocket; 'lifespan' must pass.
            if scope['type'] == 'lifespan':
                await self.app(scope, receive, send)
            return
        if not is_allowed(scope['path'], self.uploads):
            return await _answer(send, 404, 'There is nothing here.')
        if scope['method'] == 'POST' and not scope['path'].startswith('/gradio_api/upload'):
            body = await _read(receive)
            if body is None:
                return await _answer(send, 413, f'A request has at most {MAX_BODY} bytes.')
            reason = refuse_body(body)
            if reason:
                return await _answer(send, 400, reason)
            receive = _replay(body, receive)
        await self.app(scope, receive, _with_headers(send))


def is_allowed(path: str, uploads: bool = False) -> bool:
    """Tell whether a route is one that the page needs.

    Example:
        >>> is_allowed('/assets/index.js'), is_allowed('/gradio_api/file=/etc/passwd')
        (True, False)
    """
    if path.startswith('/gradio_api/'):
        route = path.removeprefix('/gradio_api/')
        if route.startswith('upload') and not uploads:
            return False
        return route.rstrip('/') in _API or route.startswith(_API_FOLDERS)
    return path in _PATHS or path.startswith(_FOLDERS)


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


def _paths(value: Any) -> Iterator[str]:
    """Yield every text under a key ``path``, however deep."""
    if isinstance(value, dict):
        if isinstance(value.get('path'), str):
            yield value['path']
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _paths(item)


async def _read(receive: Any) -> bytes | None:
    """Read the whole body, or return ``None`` if it is too long."""
    body, more = b'', True
    while more:
        message = await receive()
        if message['type'] == 'http.disconnect':
            break
        body += message.get('body', b'')
        more = message.get('more_body', False)
        if len(body) > MAX_BODY:
            return None
    return body


def _replay(body: bytes, receive: Any) -> Any:
    """Return a receiver of the body that was read, then of all that comes after it."""
    left = [dict(type='http.request', body=body, more_body=False)]

    async def again() -> dict:
        return left.pop() if left else await receive()

    return again


def _with_headers(send: Any) -> Any:
    async def sender(message: dict) -> None:
        if message['type'] == 'http.response.start':
            message = {**message, 'headers': [*message.get('headers', ()), *_HEADERS.items()]}
        await send(message)

    return sender


async def _answer(send: Any, status: int, text: str) -> None:
    headers = [(b'content-type', b'text/plain; charset=utf-8'), *_HEADERS.items()]
    await send(dict(type='http.response.start', status=status, headers=headers))
    await send(dict(type='http.response.body', body=text.encode()))
