"""Folders by which transformers and sentence-transformers load a model and give its features.

Importing this loads neither torch nor transformers.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .formats import FORMATS

if TYPE_CHECKING:
    from .export import MAX_DIFFERENCE, export_hub_folder

__all__ = ['FORMATS', 'MAX_DIFFERENCE', 'export_hub_folder']


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module('.export', __name__), name)
