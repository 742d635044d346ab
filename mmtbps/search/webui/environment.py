"""Environment that Gradio finds while the page is made."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from .private_folder import TEMP_KEY

__all__ = ['private_environment']

_PROXIES = ('all_proxy', 'http_proxy', 'https_proxy')


@contextmanager
def private_environment() -> Iterator[None]:
    """Hide from Gradio what the environment says to other programs, and that it may report home.

    Its own variables would put a page of ours below a path, restart it whenever a file changes, or
    hold the caller (``GRADIO_ROOT_PATH``, ``GRADIO_WATCH_DIRS``, ``GRADIO_DEBUG``). A proxy would
    stand between it and the look at its own page at the start, and one for which a package is
    missing would keep it from being imported.
    """
    hidden = {name: os.environ.pop(name) for name in list(os.environ)
              if name.startswith('GRADIO_') and name != TEMP_KEY or name.lower() in _PROXIES}
    os.environ['GRADIO_ANALYTICS_ENABLED'] = 'False'
    try:
        yield
    finally:
        os.environ.update(hidden | {'GRADIO_ANALYTICS_ENABLED': 'False'})
