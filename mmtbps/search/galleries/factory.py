"""A gallery from its address."""

from collections.abc import Mapping
from os import PathLike, fspath
from typing import Any

from mmtbps.errors import BadValue

from .base import BaseGallery
from .lance import LanceGallery
from .memory import MemoryGallery
from .milvus import MilvusGallery

__all__ = ['open_gallery']


def open_gallery(uri: str | PathLike, fingerprint: Mapping[str, Any] | None = None) -> BaseGallery:
    """Open a gallery, or begin one.

    Args:
        uri: ``'people.lance'`` (also ``'s3://bucket/people.lance'``) is a `LanceGallery`,
            ``'http://host:19530/people'`` the collection ``people`` of a Milvus server, any other
            folder a `MemoryGallery`.
        fingerprint: Of the encoder whose features it has or will have; see `BaseGallery`.

    Raises:
        FileNotFoundError: If there is no gallery and no fingerprint to begin one with.
        GalleryMismatch: If it holds features of another model.
        ImportError: If the kind of gallery needs a package that is missing; the message names it.
    """
    address = fspath(uri)
    if address.startswith(('http://', 'https://')):
        return MilvusGallery(address, fingerprint)
    if address.rstrip('/').endswith('.lance'):
        return LanceGallery(address, fingerprint)
    if '://' in address:
        raise BadValue(f'{address}: a gallery elsewhere is a Lance one (its name ends in .lance) '
                       'or a Milvus server (http://host:port/collection)')
    return MemoryGallery(address, fingerprint)
