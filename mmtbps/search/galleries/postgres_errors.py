"""Errors of PostgreSQL in one line, each with what mends it."""

import contextlib
from collections.abc import Iterator
from typing import Any, NoReturn

from mmtbps.errors import BadValue, MissingPackage, first_line

from .faults import GalleryUnreadable, NoServer
from .write_lock import GalleryReadOnly

__all__ = ['OLDEST_EXTENSION', 'check_extension', 'check_server', 'explained', 'import_psycopg']

OLDEST_EXTENSION = (0, 8)
_LOGIN = ('password', 'no pg_hba.conf entry', 'role "', 'authentication', 'peer')


def import_psycopg() -> Any:
    """Import psycopg.

    Raises:
        MissingPackage: It, its pool or pgvector is not installed.
    """
    try:
        import pgvector.psycopg  # noqa: F401
        import psycopg
        import psycopg_pool  # noqa: F401
    except ImportError as error:
        raise MissingPackage(f'PostgresGallery needs {error.name}: pip install "mmtbps[postgres]"'
                             ) from error
    return psycopg


@contextlib.contextmanager
def explained(uri: str) -> Iterator[None]:
    """Raise what PostgreSQL refuses in one line.

    Args:
        uri: Of the gallery.

    Raises:
        NoServer: No server answers, or none lets the caller in.
        GalleryReadOnly: This user may not, or the server is a replica.
        GalleryUnreadable: Any other refusal, and a connection that was lost.
    """
    psycopg = import_psycopg()
    try:
        yield
    except psycopg.Error as error:
        _raise(uri, error)


def _raise(uri: str, error: Any) -> NoReturn:
    from psycopg import OperationalError, errors
    # libpq says one line for each server it has tried.
    said = ' '.join(str(error).split())[:300] or type(error).__name__
    if isinstance(error, errors.DiskFull):
        raise GalleryUnreadable(f'{uri}: the disk of the PostgreSQL server is full, and nothing of '
                                f'this call was stored ({first_line(error)}). Make room there; the '
                                'same call goes on') from error
    if isinstance(error, errors.UndefinedTable):
        raise GalleryUnreadable(f'{uri}: its table does not exist any more. Take the gallery from '
                                'a backup or index the images again') from error
    if isinstance(error, errors.ReadOnlySqlTransaction):
        raise GalleryReadOnly(f'{uri}: this server is a replica, and can be searched only. Write '
                              'to the first server: name all of them, and add '
                              '?target_session_attrs=read-write to the address') from error
    if isinstance(error, errors.InsufficientPrivilege):
        raise GalleryReadOnly(f'{uri}: this user may not do that ({first_line(error)})') from error
    if isinstance(error, OperationalError) and error.sqlstate is None:
        if 'connection failed' not in said and 'could not' not in said:
            raise GalleryUnreadable(f'{uri}: the connection to PostgreSQL was lost ({said}). What '
                                    'was acknowledged is safe; the same call goes on when the '
                                    'server is back') from error
        hint = ('. User and password come from PGUSER and PGPASSWORD, or from ~/.pgpass'
                if any(word in said for word in _LOGIN) else '')
        raise NoServer(f'{uri}: no PostgreSQL server lets us in ({said}){hint}') from error
    if isinstance(error, (errors.AdminShutdown, errors.CrashShutdown, errors.CannotConnectNow)):
        raise GalleryUnreadable(f'{uri}: the PostgreSQL server shuts down or starts ({said}). What '
                                'was acknowledged is safe; the same call goes on when it is back'
                                ) from error
    raise GalleryUnreadable(f'{uri}: PostgreSQL refused ({said})') from error


def check_server(uri: str, connection: Any, table: str) -> None:
    """Check that a server keeps texts in Unicode, and takes the name of a table.

    Raises:
        BadValue: Its database has another encoding, or the name is a word of its language.
    """
    if connection.execute('select exists (select from pg_get_keywords() where word = %s and '
                          "catcode in ('R', 'T'))", [table]).fetchone()[0]:
        raise BadValue(f'{uri}: {table!r} is a word of SQL: give the table another name')
    encoding = connection.info.parameter_status('server_encoding')
    if encoding != 'UTF8':
        raise BadValue(f'{uri}: this database keeps texts as {encoding}, in which not every name '
                       "can be stored: make one with ENCODING 'UTF8'")


def check_extension(uri: str, connection: Any) -> None:
    """Check the extension pgvector, and create it where this user may.

    Raises:
        BadValue: It is missing and cannot be created, or is older than `OLDEST_EXTENSION`.
    """
    asked = "select extversion from pg_extension where extname = 'vector'"
    if (found := connection.execute(asked).fetchone()) is None:
        from psycopg import Error
        try:
            with connection.transaction():
                # "If not exists" alone fails where another process creates it at this moment.
                connection.execute("select pg_advisory_xact_lock(hashtext('mmtbps'), "
                                   "hashtext('create extension'))")
                connection.execute('create extension if not exists vector')
        except Error as error:
            raise BadValue(f'{uri}: this database has no extension pgvector '
                           f'({first_line(error)}). Install it on the server, and let an '
                           'administrator of the database run: CREATE EXTENSION vector') from error
        found = connection.execute(asked).fetchone()
    version = tuple(int(part) for part in found[0].split('.')[:2])
    if version < OLDEST_EXTENSION:
        raise BadValue(f'{uri}: pgvector is {found[0]}, and a gallery needs 0.8 or later. Install '
                       'it on the server, and let an administrator of the database run: ALTER '
                       'EXTENSION vector UPDATE')
