"""The web page of a gallery. Gradio is imported when the page is built, and not before."""

from .layout import build_page
from .server import serve

__all__ = ['build_page', 'serve']
