"""Files in object stores and below web addresses, with the few operations of pathlib that we use.

`as_path` gives a `pathlib.Path` of a place on this machine and a `RemotePath` of an address such
as ``s3://bucket/crops``. Stores are read through fsspec, whose packages are imported where used;
nothing is written to one.
"""

import os
import posixpath
import re
from collections.abc import Iterator
from contextlib import suppress
from fnmatch import fnmatchcase
from functools import total_ordering
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO
from urllib.parse import quote, unquote

from mmtbps.errors import BadValue, MissingFile

from .remote_stat import RemoteStat, stat_of
from .store_errors import PACKED, StoreError, check_no_secret, check_scheme, explained_store

__all__ = ['AnyPath', 'RemotePath', 'RemoteStat', 'as_path', 'is_remote']

_SCHEME = re.compile(r'([a-zA-Z][a-zA-Z0-9+.-]*)://')
_PACKED_FILES = 'mmtbps.fileio.packed_files.PackedFileSystem'
_WEB = ('http', 'https')


def is_remote(path: str | os.PathLike) -> bool:
    """Tell an address with a scheme from a path of this machine.

    Example:
        >>> is_remote('s3://bucket/crops'), is_remote('data/s3/crops')
        (True, False)
    """
    return _SCHEME.match(os.fspath(path)) is not None


def as_path(first: str | os.PathLike, *more: str | os.PathLike) -> 'AnyPath':
    """Join the parts of a path, of this machine or of an object store.

    Like that of `pathlib.Path`: a part that is absolute or an address takes the place of those
    before it.

    Raises:
        BadValue: The scheme is none that is read, or the address carries a password.

    Example:
        >>> as_path('s3://bucket/crops', 'a/../b.jpg')
        RemotePath('s3://bucket/crops/b.jpg')
        >>> as_path('data', 'b.jpg')
        PosixPath('data/b.jpg')
    """
    path = first if isinstance(first, RemotePath) else (
        RemotePath(os.fspath(first)) if is_remote(first) else Path(first))
    for part in more:
        path = as_path(part) if is_remote(part) or os.path.isabs(part) else path / part
    return path


@total_ordering
class RemotePath(os.PathLike):
    """Path of a file or folder in an object store or below a web address.

    Args:
        address: Such as ``s3://bucket/crops``; ``.`` and ``..`` are taken out.

    Raises:
        BadValue: The scheme is none that is read, the address leads out of its bucket or carries a
            password or a signature.
    """

    __slots__ = ('_address', '_stat')

    def __init__(self, address: str) -> None:
        scheme, _, rest = address.partition('://')
        scheme = scheme.lower()
        check_scheme(scheme)
        check_no_secret(f'{scheme}://{rest}')
        bucket, _, key = rest.partition('/')
        if scheme == PACKED:  # a folder of this machine
            bucket, key = '', os.path.abspath(rest).lstrip('/')
        elif not bucket:
            raise BadValue(f'{address}: names no bucket')
        key = _tidy(unquote(key) if scheme in _WEB else key, address)
        self._address = f'{scheme}://{bucket}/{key}'.rstrip('/')
        self._stat: RemoteStat | None = None

    @classmethod
    def _listed(cls, address: str, stat: RemoteStat | None = None) -> 'RemotePath':
        """Make the path of a name that a store has listed, as it is."""
        path = cls.__new__(cls)
        path._address, path._stat = address, stat
        return path

    def __str__(self) -> str:
        return self._address

    def __repr__(self) -> str:
        return f'RemotePath({self._address!r})'

    __fspath__ = __str__

    def __hash__(self) -> int:
        return hash(self._address)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RemotePath) and self._address == other._address

    def __lt__(self, other: 'RemotePath') -> bool:
        return self._address < str(other)

    def __truediv__(self, name: str | os.PathLike) -> 'RemotePath':
        key = _tidy(f'{self._key}/{os.fspath(name)}', f'{self}/{name}')
        return self._listed(f'{self._root}/{key}'.rstrip('/'))

    # ------------------------------------------------------------------ names
    @property
    def _root(self) -> str:
        scheme, _, rest = self._address.partition('://')
        return f'{scheme}://{rest.partition("/")[0]}'

    @property
    def _key(self) -> str:
        return self._address[len(self._root) + 1:]

    @property
    def name(self) -> str:
        """Last part of the name; empty of a bucket."""
        return posixpath.basename(self._key)

    @property
    def stem(self) -> str:
        """Name without its last ending."""
        return PurePosixPath(self.name).stem

    @property
    def suffix(self) -> str:
        """Last ending of the name."""
        return PurePosixPath(self.name).suffix

    @property
    def parent(self) -> 'RemotePath':
        """Folder above; of a bucket itself."""
        above = posixpath.dirname(self._key)
        return self._listed(f'{self._root}/{above}' if above else self._root)

    @property
    def parents(self) -> tuple['RemotePath', ...]:
        """Folders above, the nearest first."""
        above, path = [], self
        while path.parent != path:
            path = path.parent
            above.append(path)
        return tuple(above)

    def with_suffix(self, suffix: str) -> 'RemotePath':
        """Return the path with another ending."""
        return self.parent / (self.stem + suffix)

    def relative_to(self, folder: 'RemotePath') -> PurePosixPath:
        """Return the path below a folder.

        Raises:
            ValueError: It is not below it.
        """
        if not self.is_relative_to(folder):
            raise ValueError(f'{self} is not below {folder}')
        return PurePosixPath(self._address[len(str(folder)):].strip('/'))

    def is_relative_to(self, folder: str | os.PathLike) -> bool:
        """Tell whether this is a folder or below it."""
        return f'{self._address}/'.startswith(f'{str(folder).rstrip("/")}/')

    def as_posix(self) -> str:
        """Return the address."""
        return self._address

    def resolve(self) -> 'RemotePath':
        """Return the path itself, which is absolute."""
        return self

    absolute = resolve

    # ------------------------------------------------------------------ content
    def exists(self) -> bool:
        """Tell whether there is such a file or folder; an error is not an answer."""
        return self._stat is not None or self.kind() is not None

    def is_file(self) -> bool:
        """Tell whether there is such a file."""
        return self._stat is not None or self.kind() == 'file'

    def is_dir(self) -> bool:
        """Tell whether anything is below this name."""
        return self._stat is None and self.kind() == 'directory'

    def kind(self) -> str | None:
        """Ask for the kind of what has this name: 'file', 'directory' or ``None``.

        A web page that links to what is below it is a folder.

        Raises:
            MissingFile: There is no such bucket.
            StoreError: As in `explained_store`.
        """
        try:
            with explained_store(self._address):
                if self._address.startswith(_WEB) and self._is_index():
                    return 'directory'
                return self._store().info(self._url())['type']
        except MissingFile:
            self._refuse_missing_bucket()
            return None

    def _refuse_missing_bucket(self) -> None:
        """Tell a bucket that is not there from a name in it; whoever may not ask is not told."""
        if self._address.startswith(('http', 'memory', PACKED)):
            return
        try:
            with suppress(StoreError), explained_store(self._address):
                self._store().info(self._root)
        except MissingFile as error:
            raise MissingFile(f'{self}: there is no bucket {self._root.partition("://")[2]}'
                              ) from error

    def _is_index(self) -> bool:
        with suppress(FileNotFoundError, NotADirectoryError):
            return next(self._links(), None) is not None
        return False

    def stat(self) -> RemoteStat:
        """Return size and time of change; of a listed file those of the listing, without asking.

        Raises:
            MissingFile, StoreError: As in `explained_store`.
        """
        if self._stat is not None:
            return self._stat
        with explained_store(self._address):
            return stat_of(self._store().info(self._url()))

    def read_bytes(self, start: int | None = None, stop: int | None = None) -> bytes:
        """Read the file, or the bytes from ``start`` to before ``stop``."""
        try:
            with explained_store(self._address):
                return self._store().cat_file(self._url(), start=start, end=stop)
        except MissingFile:
            self._refuse_missing_bucket()
            raise

    def read_text(self, encoding: str = 'utf-8') -> str:
        """Read the file as text."""
        return self.read_bytes().decode(encoding)

    def open(self) -> BinaryIO:
        """Open the file to be read in blocks."""
        with explained_store(self._address):
            return self._store().open(self._url(), 'rb')

    def glob(self, pattern: str) -> Iterator['RemotePath']:
        """Yield the files directly in this folder whose names fit a pattern."""
        return (path for path in self.iterdir() if fnmatchcase(path.name, pattern))

    def iterdir(self) -> Iterator['RemotePath']:
        """Yield the files directly in this folder."""
        return self._files(below=False)

    def files_below(self) -> list['RemotePath']:
        """List all files below this folder, by name; of each the listing says size and time."""
        return sorted(self._files(below=True))

    def _files(self, below: bool) -> Iterator['RemotePath']:
        with explained_store(self._address):
            if self._address.startswith(_WEB):
                yield from self._walk_links(below)
                return
            store = self._store()
            folder = store._strip_protocol(self._url()).strip('/')
            found = store.find(self._url(), maxdepth=None if below else 1, detail=True)
            for name, info in found.items():
                inside = name.lstrip('/').removeprefix(f'{folder}/')  # a//b has an empty part
                if inside and info['type'] == 'file' and not name.endswith('/'):
                    yield self._listed(f'{self._address}/{inside}', stat_of(info))

    def _walk_links(self, below: bool) -> Iterator['RemotePath']:
        for path, is_folder in self._links():
            if not is_folder:
                yield path
            elif below:
                yield from path._walk_links(below)

    def _links(self) -> Iterator[tuple['RemotePath', bool]]:
        """Yield what a web page of a folder links directly below it, and whether it is a folder."""
        start, seen = self._url().rstrip('/') + '/', set()
        for url in self._store().ls(start, detail=False):
            name = unquote(url.removeprefix(start).rstrip('/'))
            if url.startswith(start) and name and '/' not in name and not {'?', '#'} & set(
                    url) and name not in ('.', '..') and name not in seen:
                seen.add(name)
                yield self._listed(f'{self._address}/{name}'), url.endswith('/')

    def _url(self) -> str:
        """Return the address as the store takes it."""
        if not self._address.startswith(_WEB):
            return self._address
        return f'{self._root}/{quote(self._key)}'

    def _store(self) -> Any:
        """Open the file system, anew in a forked process; fsspec keeps one for each process."""
        from fsspec import filesystem, register_implementation
        scheme = self._address.partition('://')[0]
        if scheme.startswith(PACKED):  # by name, as fsspec knows the stores of other packages
            register_implementation(scheme, _PACKED_FILES, clobber=True)
        options = dict(client_kwargs=dict(trust_env=True)) if scheme in _WEB else {}
        return filesystem(scheme, use_listings_cache=False, **options)


AnyPath = Path | RemotePath


def _tidy(key: str, address: str) -> str:
    """Take ``.`` and ``..`` out of a name.

    Raises:
        BadValue: It leads out of its bucket.
    """
    parts: list[str] = []
    for part in key.split('/'):
        if part == '..' and not parts:
            raise BadValue(f'{address}: leads out of its bucket')
        if part == '..':
            parts.pop()
        elif part not in ('', '.'):
            parts.append(part)
    return '/'.join(parts)
