"""HTML out of Jinja templates, in which what comes from elsewhere stays text."""

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from .errors import printable

__all__ = ['load_template']


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


def _as_text(value: Any) -> Any:
    return value if isinstance(value, Markup) else printable(str(value))
