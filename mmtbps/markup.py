"""HTML and Markdown in which what comes from elsewhere stays text; pictures in HTML."""

import base64
import io
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup
from PIL import Image

from .errors import printable

__all__ = ['CARD_SIZE', 'as_cell', 'as_data_uri', 'load_template']

#: A picture in a grid is at most so many pixels wide and high.
CARD_SIZE = (200, 520)


def as_cell(text: str) -> str:
    """Write a text so that it stays one cell of a Markdown table.

    Args:
        text: of anybody, such as a name.

    Example:
        >>> as_cell('RDE | half\\nmoved')
        'RDE \\\\| half moved'
    """
    return ' '.join(text.split()).replace('|', '\\|')


@cache
def load_template(path: Path) -> Template:
    """Load a template, once.

    ``{{ value }}`` escapes the value, within quotes too, and takes the effect from characters that
    would hide text or turn it round. A value that is missing is an error.

    Args:
        path: File of the template.

    Example:
        >>> import tempfile
        >>> page = Path(tempfile.mkdtemp(), 'page.html')
        >>> _ = page.write_text('<h1>{{ title }}</h1>')
        >>> load_template(page).render(title='<script>')
        '<h1>&lt;script&gt;</h1>'
    """
    environment = Environment(loader=FileSystemLoader(path.parent), autoescape=True,
                              undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
                              finalize=_as_text)
    return environment.get_template(path.name)


def as_data_uri(image: Image.Image, size: tuple[int, int] = CARD_SIZE) -> str:
    """Encode a picture as a JPEG that stands in a page itself; nothing but its pixels is in it.

    Args:
        image: RGB; shrunk to fit.
        size: Largest width and height.

    Example:
        >>> as_data_uri(Image.new('RGB', (4, 8)))[:23]
        'data:image/jpeg;base64,'
    """
    image = image.copy()
    image.info = {}  # the writer would add a comment, a profile and the like
    image.thumbnail(size, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, 'JPEG', quality=88)
    return 'data:image/jpeg;base64,' + base64.b64encode(buffer.getvalue()).decode()


def _as_text(value: Any) -> Any:
    return value if isinstance(value, Markup) else printable(str(value))
