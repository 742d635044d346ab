"""Health checks of the page, for a load balancer and for the supervisor of its process."""

import asyncio
import logging
import os
import time
from collections.abc import Callable
from typing import Any

from mmtbps.errors import first_line, printable
from mmtbps.fileio import as_path

__all__ = ['HealthCheck', 'why_not_ready']

_LOG = logging.getLogger('mmtbps.page')
#: Seconds that an answer is good for, and that a gallery has to answer.
_GOOD_FOR, _PATIENCE = 1., 5.


class HealthCheck:
    """Answers to ``/healthz``, of a process that runs, and ``/readyz``, of one that can answer.

    Both say nothing of the gallery, so anyone may ask. However often ``/readyz`` is asked, the
    gallery is asked once a second, and one question at a time waits for it.

    Args:
        ready: Returns the reason why nothing can be answered now, ``None`` if all is well; may
            block and raise.
    """

    paths = ('/healthz', '/readyz')

    def __init__(self, ready: Callable[[], str | None]) -> None:
        self._ready = ready
        self._said: tuple[float, str | None] | None = None
        self._asking: asyncio.Future | None = None

    async def answer(self, scope: dict, send: Any) -> None:
        """Answer a request to one of the paths: 200, or 503 with the reason in the log alone."""
        reason = None
        if scope['method'] not in ('GET', 'HEAD'):
            status, text = 405, b'GET alone'
        elif scope['path'] == '/healthz' or (reason := await self._reason()) is None:
            status, text = 200, b'ok'
        else:
            status, text = 503, b'not ready'
            _LOG.warning('%s', printable(f'not ready: {reason}'))
        headers = [(b'content-type', b'text/plain; charset=utf-8'), (b'cache-control', b'no-store')]
        await send(dict(type='http.response.start', status=status, headers=headers))
        body = b'' if scope['method'] == 'HEAD' else text
        await send(dict(type='http.response.body', body=body))

    async def _reason(self) -> str | None:
        if self._said is not None and time.monotonic() - self._said[0] < _GOOD_FOR:
            return self._said[1]
        if self._asking is None:
            self._asking = asyncio.ensure_future(asyncio.to_thread(self._ready))
        asking = self._asking
        await asyncio.wait({asking}, timeout=_PATIENCE)
        if not asking.done():
            return f'the gallery has not answered for {_PATIENCE:g} s'
        error = asking.exception()
        said = asking.result() if error is None else f'{type(error).__name__}: {first_line(error)}'
        self._said, self._asking = (time.monotonic(), said), None
        return said


def why_not_ready(inferencer: Any, images: str | os.PathLike) -> str | None:
    """Return the reason why a page can answer no question at present.

    Args:
        inferencer: A `TextToPersonInferencer` with a gallery.
        images: Folder that the paths of the gallery's entries are relative to.

    Returns:
        ``None`` if the gallery answers and the folder is there.

    Raises:
        Exception: Of the gallery, if it is gone, damaged or does not answer.
    """
    inferencer.gallery.count()
    return None if as_path(images).is_dir() else f'{images}, the folder of the images, is gone'
