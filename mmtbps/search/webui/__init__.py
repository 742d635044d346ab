"""The web page of a gallery, on Gradio, which is imported when the page is built."""

from .addresses import parse_public_url
from .layout import build_page
from .server import check_free, serve
from .uploads import check_uploads

__all__ = ['build_page', 'check_free', 'check_uploads', 'parse_public_url', 'serve']
