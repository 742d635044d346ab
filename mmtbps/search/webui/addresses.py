"""Names and origins that the page answers to."""

import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from mmtbps.errors import BadValue, printable

__all__ = ['PageAddress', 'parse_public_url']

_HERE = ('127.0.0.1', 'localhost', '::1')
_PUBLIC = re.compile(r'https?://(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\])(:\d{1,5})?'
                     r'(?P<path>(/[A-Za-z0-9._~-]+)*)/?')


@dataclass(frozen=True)
class PageAddress:
    """Address of the page: where it listens, and where a reverse proxy shows it.

    Args:
        host: It listens at.
        public_url: At which visitors open it; empty without a proxy.

    Example:
        >>> address = PageAddress('127.0.0.1', 'https://host/people')
        >>> address.path, address.refuse_host('host'), address.refuse_origin(['https://host'], [])
        ('/people', None, None)
    """

    host: str = '127.0.0.1'
    public_url: str = ''

    @property
    def path(self) -> str:
        """Path of the public URL, empty or beginning with a slash."""
        return urlsplit(self.public_url).path

    def refuse_host(self, host: str) -> str | None:
        """Return the reason to refuse a request to a name, or ``None`` to pass it.

        Another site can make its own name point here, and its pages would then be of the same
        origin. It cannot do so with an address in numbers, or with the name of this machine, to
        which a page that is open to the network answers as well.

        Args:
            host: Header ``Host``.
        """
        name = _name(host)
        if name in _HERE or name == urlsplit(self.public_url).hostname:
            return None
        if self.host not in _HERE and (name == self.host.lower() or _is_ip(name)
                                       or name in _names_of_machine()):
            return None
        return (f'This page does not answer to the name "{printable(name[:253])}". If visitors '
                'open it at this name, maybe behind a reverse proxy, start it with its public URL, '
                'the address that they open.')

    def refuse_origin(self, origins: Sequence[str], hosts: Sequence[str]) -> str | None:
        """Return the reason to refuse a request of another site's page, or ``None`` to pass it.

        Args:
            origins: Headers ``Origin``; a program sends none.
            hosts: Headers ``Host`` and ``X-Forwarded-Host``. A page in a browser cannot set them.
        """
        own = {_plain(host) for host in (*_split(hosts), urlsplit(self.public_url).netloc)} - {''}
        if all(_plain(origin.partition('://')[2]) in own for origin in _split(origins)):
            return None
        return ('Pages of other sites get no answer. If this is the page itself, behind a reverse '
                'proxy, start it with its public URL, the address that visitors open.')


def parse_public_url(url: str | None) -> str:
    """Check a public URL and return it without its last slash; empty for none.

    Raises:
        BadValue: It is no address such as ``https://host/people``.

    Example:
        >>> parse_public_url('https://host/people/')
        'https://host/people'
    """
    if not url:
        return ''
    found = _PUBLIC.fullmatch(url)
    if not found or {'.', '..'} & set(found['path'].split('/')):
        raise BadValue(f'{url}: a public URL is a whole address, such as https://host/people, '
                       'without user, query or signs that need an escape')
    return url.rstrip('/')


def _split(headers: Sequence[str]) -> list[str]:
    return [value.strip() for header in headers for value in header.split(',')]


def _name(host: str) -> str:
    """Return the name of a host without its port, in lower case."""
    bracketed = re.fullmatch(r'\[(.*)\](:\d*)?', host)
    return (bracketed[1] if bracketed else host.partition(':')[0]).lower()


def _names_of_machine() -> set[str]:
    """Return its name, whole and without the domain, and the one that it has in a local network."""
    whole = socket.gethostname().lower()
    name = whole.partition('.')[0]
    return {whole, name, f'{name}.local'} - {''}


def _plain(netloc: str) -> str:
    """Return host and port in lower case, without the ports that browsers leave out."""
    return re.sub(r':(80|443)$', '', netloc.strip().lower())


def _is_ip(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
