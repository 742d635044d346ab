"""Errors of object stores, in one line that says what to mend; no secret is ever part of one."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from mmtbps.errors import BadValue, MissingFile, MissingPackage, UserError, first_line

__all__ = ['PACKED', 'PACKED_SCHEMES', 'SCHEMES', 'StoreError', 'check_no_secret', 'check_scheme',
           'explained_store', 'refuse_store']

_S3 = ('s3', 's3fs', 'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, ~/.aws or the role of the '
       'machine; of a public bucket none are needed with FSSPEC_S3_ANON=true')
_GS = ('gs', 'gcsfs', 'GOOGLE_APPLICATION_CREDENTIALS or gcloud auth application-default login; of '
       'a public bucket none are needed with FSSPEC_GS_TOKEN=anon')
_AZ = ('az', 'adlfs', 'AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT_NAME with '
       'AZURE_STORAGE_ACCOUNT_KEY or az login')
_WEB = ('http', 'aiohttp', '~/.netrc')
#: Extra of ours, package and the places of credentials, by the scheme of an address. The files of
#: ``memory`` are those of this process, for trials.
SCHEMES = dict(s3=_S3, gs=_GS, gcs=_GS, az=_AZ, abfs=_AZ, abfss=_AZ, http=_WEB, https=_WEB,
               memory=('http', 'fsspec', 'nowhere'))
#: Packed images: ``packed:///data/imgs.tars``, and in a store ``packed+s3://bucket/imgs.tars``.
PACKED = 'packed'
PACKED_SCHEMES = {PACKED: SCHEMES['memory'],
                  **{f'{PACKED}+{name}': store for name, store in SCHEMES.items()}}
# Each store has errors of its own, and none of their packages need be there to tell them apart.
_WITHOUT_CREDENTIALS = re.compile(
    'NoCredentials|PartialCredentials|DefaultCredentials|CredentialUnavailable|ProfileNotFound|'
    'TokenRetrieval|NoAuthToken|ClientAuthentication|Must provide either a connection_string')
_DENIED = re.compile('Forbidden|AccessDenied|Access Denied|InvalidAccessKeyId|'
                     r'SignatureDoesNotMatch|Unauthorized|\b40[13]\b')
_NO_BUCKET = re.compile('(?i)specified (bucket|container)|NoSuchBucket|ContainerNotFound')


class StoreError(UserError, OSError):
    """A file or folder of an object store that cannot be read at present."""


def check_scheme(scheme: str) -> None:
    """Refuse the scheme of an address that is not read; its rest may hold a password.

    Raises:
        BadValue: It is one.
    """
    if scheme not in SCHEMES and scheme not in PACKED_SCHEMES:
        raise BadValue(f'{scheme}:// is not read; known are '
                       f'{", ".join(f"{name}://" for name in SCHEMES)}')


def check_no_secret(address: str) -> None:
    """Refuse an address that carries a password or a signature, which would be noted and logged.

    Args:
        address: With its scheme.

    Raises:
        BadValue: Without what is secret.

    Example:
        >>> check_no_secret('https://me:word@host/crops')
        Traceback (most recent call last):
        mmtbps.errors.BadValue: https://...@host/crops: leave user, password and signature out of \
the address, which is noted in galleries and logs. They are taken from ~/.netrc
    """
    scheme, _, rest = address.partition('://')
    user, sign, host, path = _divide(rest)
    place, (bare, mark, _) = f'{user}{sign}{host}', path.partition('?')
    secret_user = sign and (scheme not in ('abfs', 'abfss') or ':' in user)
    signed = mark and scheme not in (
        's3', 'gs', 'gcs', 'memory', PACKED)  # there it is part of a name
    signed = signed or mark and re.search(r'(?i)[?&](x-|sig|token|aws)[^/]*=', f'{mark}{path}')
    if not secret_user and not signed:
        return
    shown = f'{scheme}://{f"...@{host}" if secret_user else place}{bare}'
    raise BadValue(f'{shown}{"?..." if mark else ""}: leave user, password and signature out of '
                   'the address, which is noted in galleries and logs. They are taken from '
                   f'{SCHEMES.get(scheme, _WEB)[2]}')


def _divide(rest: str) -> tuple[str, str, str, str]:
    """Divide what follows a scheme into user, its sign, host, and the rest with its slash.

    Every other password of S3 has a slash; where a colon begins no port, a user may end behind it.
    """
    user, sign, host = rest.partition('/')[0].rpartition('@')
    port = host.partition(':')[2]
    if not sign and port and not port.isdigit() and not host.startswith(('arn:', '[')):
        user, sign, _ = rest.rpartition('@')
    host = re.match('[^/?]*', rest[len(user + sign):])[0]
    return user, sign, host, rest[len(user + sign + host):]


def refuse_store(path: str | os.PathLike) -> None:
    """Refuse an address of an object store as the place of something to be written.

    Args:
        path: Of a file or folder; `pathlib.Path` has taken one of two slashes away.

    Raises:
        BadValue: It is such an address.

    Example:
        >>> refuse_store('s3://bucket/answers.html')
        Traceback (most recent call last):
        mmtbps.errors.BadValue: s3://bucket/answers.html: nothing is written to object stores: \
name a place on this machine, and copy it there with the store's own program
    """
    scheme, colon, rest = os.fspath(path).partition(':/')
    if colon and scheme.lower() in (*SCHEMES, *PACKED_SCHEMES):
        check_no_secret(f'{scheme.lower()}://{rest.lstrip("/")}')
        raise BadValue(f'{scheme}://{rest.lstrip("/")}: nothing is written to object stores: name '
                       "a place on this machine, and copy it there with the store's own program")


@contextmanager
def explained_store(address: str) -> Iterator[None]:
    """Word the errors of a block that reads from an object store.

    Args:
        address: Of the file or folder.

    Raises:
        MissingFile: There is no such file, folder or bucket.
        MissingPackage: The package of the store is not installed.
        StoreError: Credentials are missing or refused, or the store cannot be reached.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # of any kind: each store has its own
        raise _explain(error, address) from error


def _explain(error: Exception, address: str) -> UserError:
    scheme = address.partition('://')[0]
    extra, package, places = (SCHEMES | PACKED_SCHEMES)[scheme]
    said = f'{type(error).__name__}: {first_line(error)}'
    if isinstance(error, ImportError):
        return MissingPackage(f'{address}: reading {scheme}:// needs {package}: '
                              f'pip install "mmtbps[{extra}]"')
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        if _NO_BUCKET.search(str(error)):
            bucket = address.partition('://')[2].partition('/')[0]
            return MissingFile(f'{address}: there is no bucket {bucket}')
        return MissingFile(f'{address}: no such file or folder')
    if _WITHOUT_CREDENTIALS.search(said):
        return StoreError(f'{address}: no credentials, which are taken from {places}')
    if isinstance(error, PermissionError) or _DENIED.search(said):
        return StoreError(f'{address}: access is denied ({first_line(error)}). Credentials are '
                          f'taken from {places}')
    return StoreError(f'{address}: cannot be read ({said})')
