"""Search a gallery of people by text. What is asked for is imported then, and only then."""

from importlib import import_module

_HOMES = dict(
    TextToPersonInferencer='inferencer', Encoder='encoders.base', load_encoder='encoders.loading',
    GalleryEntry='galleries.base', GalleryMismatch='galleries.base',
    open_gallery='galleries.factory', index_people='indexing.index')
__all__ = [*_HOMES]


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(f'.{_HOMES[name]}', __name__), name)
