"""Filter of requests between the network and the page.

Gradio can do more than the page needs: serve files, fetch addresses it is given, relay to other
hosts. The filter passes the requests that the page makes and no others, answers to the page's own
names and to no other site, and tells the browser to load nothing from anywhere else either.
"""

import logging
from collections.abc import Mapping
from typing import Any

from mmtbps.errors import first_line, printable

from .addresses import PageAddress
from .bodies import MAX_BODY, refuse_body, refuse_event
from .health import HealthCheck

__all__ = ['RequestFilter', 'is_allowed']

_LOG = logging.getLogger('mmtbps.page')
_PATHS = {'/', '/config', '/config/', '/theme.css', '/favicon.ico', '/manifest.json',
          '/robots.txt'}
_FOLDERS = ('/assets/', '/static/')
_API = ('info', 'openapi.json', 'app_id', 'startup-events', 'theme.css', 'upload',
        'upload_progress', 'queue/join', 'queue/data', 'cancel', 'reset')
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

    Answers 400 to a name that is not the page's and 403 to the page of another site; 404 to every
    route but those of the page and its API, so that no file can be asked for; 413 to a long
    request, and 400 to one that names an address to fetch a file from, an event that the page does
    not have, or anything else that Gradio cannot read. Each refusal is a line of the log.

    Args:
        app: The application behind the filter.
        uploads: Whether visitors may send files.
        address: Of the page.
        events: How many values an event takes, by its number, and by name for those that programs
            may call; ``None`` passes any.
        health: Answers a load balancer, under whatever name it asks.
    """

    def __init__(self, app: Any, uploads: bool = False, address: PageAddress | None = None,
                 events: Mapping[int | str, int] | None = None,
                 health: HealthCheck | None = None) -> None:
        self.app = app
        self.uploads = uploads
        self.address = address or PageAddress()
        self.events = events
        self.health = health

    async def __call__(self, scope: dict, receive: Any, send: Any) -> None:
        """Serve one connection."""
        if scope['type'] == 'lifespan':
            return await self.app(scope, receive, send)
        if scope['type'] != 'http':  # nothing here speaks WebSocket
            return await send(dict(type='websocket.close', code=1008))
        scope = self._without_public_path(scope)
        if self.health is not None and scope['path'] in self.health.paths:
            return await self.health.answer(scope, send)
        if refusal := self._refuse_sender(scope):
            return await _refuse(scope, send, *refusal)
        if scope['method'] == 'POST' and not scope['path'].startswith('/gradio_api/upload'):
            body = await _read(receive)
            if body is None:
                return await _refuse(scope, send, 413, f'A request has at most {MAX_BODY} bytes.')
            reason = refuse_body(body) or refuse_event(body, scope['path'], self.events)
            if reason:
                return await _refuse(scope, send, 400, reason)
            receive = _replay(body, receive)
        await self._pass_on(scope, receive, send)

    def _without_public_path(self, scope: dict) -> dict:
        """Take the path of the public URL away, if the proxy has left it there."""
        path, public = scope['path'], self.address.path
        if not public or not f'{path}/'.startswith(f'{public}/'):
            return scope
        path = path.removeprefix(public) or '/'
        return {**scope, 'path': path, 'raw_path': path.encode()}

    def _refuse_sender(self, scope: dict) -> tuple[int, str] | None:
        """Return status and reason to refuse a request by its headers and route."""
        hosts, origins, forwarded = (
            [value.decode('latin-1') for key, value in scope['headers'] if key == name]
            for name in (b'host', b'origin', b'x-forwarded-host'))
        for host in hosts or ['']:
            if reason := self.address.refuse_host(host):
                return 400, reason
        if reason := self.address.refuse_origin(origins, [*hosts, *forwarded]):
            return 403, reason
        return None if is_allowed(scope['path'], self.uploads) else (404, 'There is nothing here.')

    async def _pass_on(self, scope: dict, receive: Any, send: Any) -> None:
        """Let Gradio answer; what it fails at is a request that it cannot read."""
        reply = _Reply(scope, send)
        try:
            await self.app(scope, receive, reply.send)
        except Exception as error:  # of any kind: the events of the page end inside Gradio
            cause = error.__cause__ or error
            reply.failure = f'{type(cause).__name__}: {first_line(cause)}'
        if reply.failure is None:
            return
        if reply.started:
            _log(scope, 'ended', reply.failure)
            await reply.end()
        else:
            await _refuse(scope, send, 400, 'The request cannot be read.', reply.failure)


class _Reply:
    """Answer of Gradio on its way: with our headers, without its leave for other sites.

    Attributes:
        started: Whether anything was sent.
        ended: Whether all of it was sent.
        failure: Why Gradio fails with a status of 500, which is held back.
    """

    def __init__(self, scope: dict, send: Any) -> None:
        self._scope, self._send = scope, send
        self.started = self.ended = False
        self.failure: str | None = None

    async def send(self, message: dict) -> None:
        """Pass one message of the answer on."""
        if message['type'] == 'http.response.start':
            if message['status'] == 500:
                self.failure = 'status 500'
            elif message['status'] >= 400:
                _log(self._scope, f'refused with {message["status"]}', 'by Gradio')
            headers = [(name, value) for name, value in message.get('headers', ())
                       if not name.lower().startswith(b'access-control-')]
            message = {**message, 'headers': [*headers, *_HEADERS.items()]}
        if self.failure is None:
            self.started = True
            self.ended = message['type'] == 'http.response.body' and not message.get('more_body')
            await self._send(message)

    async def end(self) -> None:
        """End an answer that was broken off."""
        if not self.ended:
            await self._send(dict(type='http.response.body', body=b''))


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
        return route.rstrip('/') in _API or route.startswith('call/')
    return path in _PATHS or path.startswith(_FOLDERS)


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


async def _refuse(scope: dict, send: Any, status: int, reason: str, detail: str = '') -> None:
    """Answer with a status and a reason, and log them; the log alone has the detail."""
    _log(scope, f'refused with {status}', detail or reason)
    # The body may be unread; without the connection nothing of it is taken for the next request.
    headers = [(b'content-type', b'text/plain; charset=utf-8'), (b'connection', b'close'),
               *_HEADERS.items()]
    await send(dict(type='http.response.start', status=status, headers=headers))
    await send(dict(type='http.response.body', body=reason.encode(errors='backslashreplace')))


def _log(scope: dict, end: str, reason: str) -> None:
    _LOG.warning('%s', printable(f'{scope["method"]} {scope["path"][:200]}: {end}: {reason}'))
