"""Server of the page, by default for this machine alone."""

import contextlib
import errno
import logging
import os
import socket
import time
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any

from mmtbps.errors import UserError

from ..media.images import MAX_BYTES
from .addresses import PageAddress, parse_public_url
from .environment import private_environment
from .health import HealthCheck, why_not_ready
from .layout import build_page
from .middleware import RequestFilter
from .observed import QueryObserver
from .private_folder import PrivateFolder
from .style import CSS, make_theme
from .watch_service import WatchFolder

__all__ = ['AddressNotFree', 'check_free', 'serve']

_WHY = {errno.EADDRINUSE: 'another program uses the port, maybe another page; name another port',
        errno.EACCES: 'a port below 1024 needs the rights of the administrator; name another port'}


class AddressNotFree(UserError, OSError):
    """An address that is in use, or not of this machine."""


def serve(inferencer: Any, images: str | os.PathLike, uploads: str | os.PathLike | None = None,
          host: str = '127.0.0.1', port: int = 7860, title: str = 'Person search',
          wait: bool = True, public_url: str | None = None,
          observers: Sequence[QueryObserver] = (), watch: WatchFolder | None = None) -> Any:
    """Open the page of a gallery for browsers and programs.

    Nothing is fetched from elsewhere and nothing reported; no file is served, pictures of the
    gallery stand in the page itself. Pages of other sites get no answer, nor do requests under
    another name than those of this machine and of ``public_url``. There is no password: with
    another ``host`` than the default everyone who reaches the machine can search, add people if
    ``uploads`` is given, and change the rules of ``watch`` if that says so. Files on their way lie
    in a private folder that goes with the page.

    Args:
        inferencer: A `TextToPersonInferencer` with a gallery.
        images: Folder that the paths of the gallery's entries are relative to.
        uploads: Folder inside ``images`` for crops that visitors add; ``None`` if they may not.
        host: Address to listen at; ``'0.0.0.0'`` for all.
        port: To listen at.
        title: Stands on top.
        wait: Serve until ``close()`` or an exception such as that of Ctrl-C, which closes the
            page and goes on to the caller; otherwise return at once and serve until ``close()``.
        public_url: Where visitors open the page, if not at an address in numbers or by the name of
            this machine: mostly ``'https://host/people'``, of a reverse proxy on this machine that
            hands their requests on; ``host`` stays as it is.
        observers: Told of each question, such as a `PageMetrics`.
        watch: Shown in a tab of its own.

    Returns:
        The Gradio blocks, with ``local_url`` and ``close()``.

    Raises:
        AddressNotFree: Nothing can listen at host and port.
        BadValue: ``uploads`` is not inside ``images``, ``watch`` is none, or ``public_url`` no
            address.
        MissingPackage: Gradio is not installed.
        NotWritable: Nothing can be written to ``uploads``.
    """
    host = host.strip('[]').lower()
    address = PageAddress(host, parse_public_url(public_url))
    check_free(host, port)
    folder = PrivateFolder()
    try:
        with private_environment():
            page = build_page(inferencer, images, uploads, title, observers, watch)
            page.private_folder = folder
            health = HealthCheck(partial(why_not_ready, inferencer, images))
            _launch(page, port, address, uploads is not None, health)
    except BaseException:
        folder.remove()
        raise
    if wait:
        print(f'The page is at {address.public_url or page.local_url}; Ctrl+C ends it.', flush=True)
        try:
            while page.is_running:
                time.sleep(.1)
        finally:
            page.close(verbose=False)
    return page


def _launch(page: Any, port: int, address: PageAddress, uploads: bool,
            health: HealthCheck) -> None:
    """Listen at the address, with nothing of Gradio's that reaches out or reports."""
    events = {name: len(event.inputs) for number, event in page.fns.items()
              for name in (number, event.api_name)
              if name == number or event.api_visibility == 'public'}

    @contextlib.asynccontextmanager
    async def filtered(app: Any) -> AsyncIterator[None]:
        # Outside of Gradio's own middleware, which would answer other sites first.
        app.middleware_stack = RequestFilter(app.middleware_stack, uploads, address, events, health)
        yield

    logging.getLogger('python_multipart').setLevel(logging.ERROR)  # the filter logs it, once
    try:
        page.queue(max_size=64, api_open=False).launch(
            server_name=f'[{address.host}]' if ':' in address.host else address.host,
            server_port=port, root_path=address.public_url,
            share=False, quiet=True, prevent_thread_lock=True, show_error=False,
            theme=make_theme(), css=CSS, max_file_size=MAX_BYTES, footer_links=['api', 'settings'],
            run_history=False, enable_monitoring=False, pwa=False, mcp_server=False, ssr_mode=False,
            state_session_capacity=1000, app_kwargs=dict(lifespan=filtered))
    except (OSError, OverflowError) as error:
        raise _not_free(address.host, port, error) from error


def check_free(host: str, port: int) -> None:
    """Check that the page can listen at an address, before anything is built.

    Raises:
        AddressNotFree: With the reason.
    """
    try:
        if not 0 < port < 65536:
            raise OverflowError
        family, kind, number, _, place = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, number) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
    except (OSError, OverflowError, UnicodeError) as error:
        raise _not_free(host, port, error) from error


def _not_free(host: str, port: int, error: Exception) -> AddressNotFree:
    """Word why nothing can listen at an address."""
    reason = _WHY.get(getattr(error, 'errno', None), f'this machine has no address {host}')
    if isinstance(error, OverflowError):
        reason = 'a port is a number from 1 to 65535'
    return AddressNotFree(f'{host}:{port}: the page cannot be opened at this address: {reason}')
