"""Search of a gallery of people by text. A name is imported when it is first asked for."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .encoders.base import Encoder
    from .encoders.loading import load_encoder
    from .galleries.base import GalleryEntry, GalleryMismatch
    from .galleries.factory import open_gallery
    from .indexing.index import index_people
    from .indexing.options import DetectionOptions, IndexOptions
    from .inferencer import TextToPersonInferencer
    from .reranking import HitReranker, PairMatcher
    from .results import SearchHit, SearchResult

_HOMES = dict(
    DetectionOptions='indexing.options', Encoder='encoders.base', GalleryEntry='galleries.base',
    GalleryMismatch='galleries.base', HitReranker='reranking', IndexOptions='indexing.options',
    PairMatcher='reranking', SearchHit='results', SearchResult='results',
    TextToPersonInferencer='inferencer', index_people='indexing.index',
    load_encoder='encoders.loading', open_gallery='galleries.factory')
__all__ = ['DetectionOptions', 'Encoder', 'GalleryEntry', 'GalleryMismatch', 'HitReranker',
           'IndexOptions', 'PairMatcher', 'SearchHit', 'SearchResult', 'TextToPersonInferencer',
           'index_people', 'load_encoder', 'open_gallery']


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(f'.{_HOMES[name]}', __name__), name)
