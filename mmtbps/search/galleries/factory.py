"""Factory of galleries: a gallery of an address."""

from collections.abc import Mapping
from os import PathLike, fspath
from os.path import exists
from re import sub
from typing import Any

from mmtbps.errors import BadValue

from .base import BaseGallery, NoGallery
from .lance import LanceGallery
from .memory import MemoryGallery
from .milvus import MilvusGallery
from .postgres import PostgresGallery
from .provenance import Provenance, read_provenance

__all__ = ['SERVERS', 'check_address', 'noted_at', 'open_gallery']

#: Kind of gallery by scheme of the address of a server.
SERVERS: dict[str, type[BaseGallery]] = {
    'http': MilvusGallery, 'https': MilvusGallery,
    'postgresql': PostgresGallery, 'postgres': PostgresGallery}
_LANCE = '.lance'


def open_gallery(uri: str | PathLike, fingerprint: Mapping[str, Any] | None = None) -> BaseGallery:
    """Open a gallery, or begin one.

    Args:
        uri: ``'people.lance'`` (also ``'s3://bucket/people.lance'``) is a `LanceGallery`,
            ``'http://host:19530/people'`` the collection ``people`` of a Milvus server,
            ``'postgresql://host/db/people'`` a table of PostgreSQL, any other folder a
            `MemoryGallery`.
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


def noted_at(uri: str | PathLike) -> Provenance:
    """Read the note of the gallery at an address; an empty one if there is none.

    Raises:
        BadValue: The note is broken.
    """
    address = fspath(uri)
    if '://' not in address:
        return read_provenance(address)
    try:
        with open_gallery(address) as gallery:
            return read_provenance(gallery)
    except NoGallery:
        return Provenance()


def _kind_of(address: str) -> type[BaseGallery]:
    scheme, is_elsewhere, _ = address.partition('://')
    if is_elsewhere and scheme in SERVERS:
        return SERVERS[scheme]
    if address.rstrip('/').endswith(_LANCE):
        return LanceGallery
    if is_elsewhere:
        forms = [kind.address_form for kind in dict.fromkeys(SERVERS.values())]
        raise BadValue(f'{_without_user(address)}: a gallery elsewhere is a Lance one (its name '
                       f'ends in .lance) or on a server ({", ".join(forms)})')
    if address.rstrip('/').lower().endswith(_LANCE) and not exists(address):
        raise BadValue(f'{address}: the name of a LanceDB gallery ends in {_LANCE}, in small '
                       'letters')
    return MemoryGallery


def _without_user(address: str) -> str:
    """Cut what may be a user and a password out of an address that is shown."""
    return sub('://[^/]*@', '://', address)
