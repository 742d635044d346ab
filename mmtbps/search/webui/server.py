"""Server of the page, by default for this machine alone."""

import os
import time
from typing import Any

from mmtbps.errors import UserError

from ..media.images import MAX_BYTES
from .layout import build_page
from .middleware import RequestFilter
from .style import CSS, make_theme

__all__ = ['AddressNotFree', 'serve']

_HERE = ('127.0.0.1', 'localhost')


class AddressNotFree(UserError, OSError):
    """An address that is in use, or not of this machine."""


def serve(inferencer: Any, images: str | os.PathLike, uploads: str | os.PathLike | None = None,
          host: str = '127.0.0.1', port: int = 7860, title: str = 'Person search',
          wait: bool = True) -> Any:
    """Open the page of a gallery for browsers and programs.

    Nothing is fetched from elsewhere and nothing reported; no file is served, pictures of the
    gallery stand in the page itself. There is no password: with another ``host`` than the default
    everyone who reaches the machine can search, and add people if ``uploads`` is given.

    Args:
        inferencer: A `TextToPersonInferencer` with a gallery.
        images: Folder that the paths of the gallery's entries are relative to.
        uploads: Folder inside ``images`` for crops that visitors add; ``None`` if they may not.
        host: Address to listen at; ``'0.0.0.0'`` for all.
        port: To listen at.
        title: Stands on top.
        wait: Serve until ``close()`` or an exception such as that of Ctrl-C, which closes the
            page and goes on to the caller; otherwise return at once and serve until ``close()``.

    Returns:
        The Gradio blocks, with ``local_url`` and ``close()``.

    Raises:
        AddressNotFree: Nothing can listen at host and port.
        BadValue: ``uploads`` is not inside ``images``.
        MissingPackage: Gradio is not installed.
    """
    page = build_page(inferencer, images, uploads, title)
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    filters = [Middleware(RequestFilter, uploads=uploads is not None)]
    if host in _HERE:
        # Another site's name that was made to point here is turned away.
        filters.insert(0, Middleware(TrustedHostMiddleware, allowed_hosts=list(_HERE)))
    _launch(page, host, port, filters)
    if wait:
        print(f'The page is at {page.local_url}; Ctrl+C ends it.', flush=True)
        try:
            while page.is_running:
                time.sleep(.1)
        finally:
            page.close(verbose=False)
    return page


def _launch(page: Any, host: str, port: int, filters: list) -> None:
    """Listen at the address, with nothing of Gradio's that reaches out or reports."""
    _reach_directly(host)
    try:
        page.queue(max_size=64, api_open=False).launch(
            server_name=host, server_port=port, share=False, quiet=True, prevent_thread_lock=True,
            show_error=False, theme=make_theme(), css=CSS, max_file_size=MAX_BYTES,
            footer_links=['api', 'settings'], run_history=False, enable_monitoring=False, pwa=False,
            mcp_server=False, ssr_mode=False, app_kwargs=dict(middleware=filters))
    except (OSError, OverflowError) as error:
        raise AddressNotFree(f'{host}:{port}: the page cannot be opened at this address. Another '
                             'program uses the port, or the machine has no such address; name '
                             'another port') from error


def _reach_directly(host: str) -> None:
    """Keep proxies away from Gradio's look at its own page at the start."""
    for name in ('no_proxy', 'NO_PROXY'):
        hosts = os.environ.get(name, '').split(',')
        os.environ[name] = ','.join(dict.fromkeys(filter(None, [*hosts, host, 'localhost'])))
