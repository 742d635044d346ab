"""Addresses of Milvus servers, and the proxies on the way to them."""

import ipaddress
import os
import re
from urllib.parse import SplitResult, urlsplit

from mmtbps.errors import BadValue

__all__ = ['channel_options', 'proxy_hint', 'split_address']

_PROXIES = ('grpc_proxy', 'https_proxy', 'http_proxy')  # as gRPC looks for them


def split_address(uri: str) -> tuple[str, str, str]:
    """Split an address into server, database ('' for the default one) and collection.

    Raises:
        ValueError: If the address is of another form, or the collection has a name that Milvus
            does not take.

    Example:
        >>> split_address('http://localhost:19530/people')
        ('http://localhost:19530', '', 'people')
    """
    try:
        parts = urlsplit(uri)
    except ValueError as error:  # brackets that hold no address of IPv6
        raise BadValue(f'{uri}: write http://host:port/collection ({error})') from error
    names = [name for name in parts.path.split('/') if name]
    if parts.query or parts.fragment or len(names) not in (1, 2) or not _has_sound_port(parts):
        raise BadValue(f'{uri}: write http://host:port/collection')
    if parts.username or parts.password:
        raise BadValue('a password does not belong into an address, which is shown and kept: '
                       'put user:password into the environment variable MILVUS_TOKEN')
    if not re.fullmatch('[A-Za-z_][A-Za-z0-9_]*', names[-1]):
        raise BadValue(f'{uri}: a collection has a name of letters, digits and "_", '
                       f'got {names[-1]!r}')
    return f'{parts.scheme}://{parts.netloc}', '/'.join(names[:-1]), names[-1]


def _is_here(server: str) -> bool:
    """Tell whether an address is of this very machine, which no proxy reaches."""
    host = urlsplit(server).hostname or ''
    try:
        return host == 'localhost' or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def channel_options(server: str) -> dict[str, int]:
    """Return the options of gRPC for a server."""
    # pymilvus would ping an idle connection every 10 s; a server may end it for too many pings.
    options = {'grpc.keepalive_permit_without_calls': 0}
    return {**options, 'grpc.enable_http_proxy': 0} if _is_here(server) else options


def proxy_hint(server: str) -> str:
    """Word the proxy that a server was asked through; nothing if there is none."""
    named = [name for name in _PROXIES if os.environ.get(name)]
    if not named or _is_here(server):
        return ''
    return (f'. It was asked through the proxy that {named[0]} names, unless no_proxy holds '
            f'{urlsplit(server).hostname}')


def _has_sound_port(parts: SplitResult) -> bool:
    try:
        return bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
