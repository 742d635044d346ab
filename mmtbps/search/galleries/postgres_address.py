"""Addresses of galleries in PostgreSQL."""

import re
from typing import NamedTuple
from urllib.parse import parse_qsl

from mmtbps.errors import BadValue

__all__ = ['GOING', 'STAGE', 'PostgresAddress']

_FORM = 'postgresql://host[:port][,host2[:port]]/database/table'
#: Names of indexes are those of their table with an ending, and PostgreSQL cuts at 63 signs.
_TABLE = re.compile('[a-z_][a-z0-9_]{0,39}')
#: Names in our own statements, in which a table of the name would be hidden.
GOING, STAGE = 'mmtbps_going', 'mmtbps_staged'
# Not urlsplit: to some versions of it a second host in brackets is no address.
_PARTS = re.compile(r'postgresql://([^/?#]*)([^?#]*)(?:\?([^#]*))?(#.*)?', re.DOTALL)
_HOST = r'([\w.-]+|\[[0-9a-fA-F:]+\])(:\d{1,5})?'
_HOSTS = re.compile(f'{_HOST}(,{_HOST})*')
_SECRET = {'user', 'password', 'sslpassword', 'passfile', 'options', 'service'}


class PostgresAddress(NamedTuple):
    """Address of a gallery in PostgreSQL.

    Args:
        connection: What libpq connects to.
        table: Name of the gallery's table.
    """

    connection: str
    table: str

    @classmethod
    def parse(cls, uri: str) -> 'PostgresAddress':
        """Read an address.

        Args:
            uri: With the settings of libpq behind a ``?``, such as
                ``target_session_attrs=read-write``.

        Raises:
            BadValue: It is of another form, or holds a user or a password.

        Example:
            >>> PostgresAddress.parse('postgresql://a,b:5433/cams/people')
            PostgresAddress(connection='postgresql://a,b:5433/cams', table='people')
        """
        parts = _PARTS.fullmatch(uri)
        hosts, path, query, fragment = parts.groups(default='') if parts else ('', '', '', '')
        settings = parse_qsl(query, keep_blank_values=True)
        if '@' in hosts or _SECRET & {key.lower() for key, _ in settings}:
            raise BadValue('a user or a password does not belong into an address, which is shown '
                           'and kept: PostgreSQL takes them from the environment variables PGUSER '
                           'and PGPASSWORD, or from ~/.pgpass')
        names = path.split('/')[1:]
        if not _HOSTS.fullmatch(hosts) or len(names) != 2 or not all(names) or fragment:
            raise BadValue(f'{uri}: write {_FORM}')
        if names[1] in (GOING, STAGE, 'excluded', 'vector'):
            raise BadValue(f'{uri}: a gallery cannot have the name {names[1]!r}, which stands for '
                           'something else in its statements')
        if not _TABLE.fullmatch(names[1]):
            raise BadValue(f'{uri}: a table has a name of small letters (a-z), digits and "_", at '
                           f'most 40, got {names[1]!r}')
        return cls(f'postgresql://{hosts}/{names[0]}{query and f"?{query}"}', names[1])
