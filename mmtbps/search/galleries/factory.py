"""Factory of galleries: a gallery of an address."""

from collections.abc import Mapping
from os import PathLike, fspath
from os.path import exists
from typing import Any

from mmtbps.errors import BadValue

from .base import BaseGallery
from .lance import LanceGallery
from .memory import MemoryGallery
from .milvus import MilvusGallery

__all__ = ['check_address', 'open_gallery']

_LANCE = '.lance'


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
    return _kind_of(fspath(uri))(fspath(uri), fingerprint)


def check_address(uri: str | PathLike) -> None:
    """Check that there can be a gallery at an address, before anything is loaded for it.

    Raises:
        BadValue: No kind of gallery has such addresses, or its kind takes no such name.

    Example:
        >>> check_address('my people.lance')
        Traceback (most recent call last):
        mmtbps.errors.BadValue: my people.lance: a LanceDB gallery has a name of letters (A-Z, \
a-z), digits, "_", "-" and ".", got 'my people'; the folders above it may have any
    """
    _kind_of(fspath(uri)).check_name(fspath(uri))


def _kind_of(address: str) -> type[BaseGallery]:
    if address.startswith(('http://', 'https://')):
        return MilvusGallery
    if address.rstrip('/').endswith(_LANCE):
        return LanceGallery
    if '://' in address:
        raise BadValue(f'{address}: a gallery elsewhere is a Lance one (its name ends in .lance) '
                       'or a Milvus server (http://host:port/collection)')
    if address.rstrip('/').lower().endswith(_LANCE) and not exists(address):
        raise BadValue(f'{address}: the name of a LanceDB gallery ends in {_LANCE}, in small '
                       'letters')
    return MemoryGallery
