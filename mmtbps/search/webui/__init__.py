"""The web page of a gallery, on Gradio, which is imported when the page is built."""

from .layout import build_page
from .server import serve

__all__ = ['build_page', 'serve']
