"""The web page of a gallery, on Gradio, which is imported when the page is built."""

from .addresses import parse_public_url
from .layout import build_page
from .metrics import PageMetrics, parse_metrics_address
from .observed import log_query
from .server import check_free, serve
from .uploads import check_uploads
from .watch_service import WatchFolder, check_watch

__all__ = ['PageMetrics', 'WatchFolder', 'build_page', 'check_free', 'check_uploads', 'check_watch',
           'log_query', 'parse_metrics_address', 'parse_public_url', 'serve']
