"""Images in the rows of a parquet file, as the package `datasets` and the Hugging Face hub have."""

import os
import posixpath
import threading
from collections import Counter, OrderedDict
from collections.abc import Iterator
from typing import Any

from mmtbps.errors import MissingFile, MissingPackage, first_line

from .image_files import is_image
from .object_stores import as_path, is_remote
from .opened_files import open_bytes
from .packed_addresses import SUFFIX, is_packed_name
from .packed_images import PackedImagesError
from .regular_files import why_no_file
from .remote_stat import RemoteStat

__all__ = ['IMAGE_COLUMNS', 'ParquetImages']

#: Names of the column of images, of ours and of strangers' files.
IMAGE_COLUMNS = ('image', 'img', 'file_path', 'img_path')
#: Groups of rows whose images are held in memory: readers of one file go through it side by side.
_HELD = 2
# Rows that are read as one array, which has room for 2 GiB.
_AT_ONCE = 256


class ParquetImages:
    """Reader of the images of a parquet file; safe in threads.

    An image has the name that its row says, if each row says another, or else its row's number from
    0 (``000000012.jpg``). The file is read a group of rows at a time, with its checksums.

    Args:
        place: The file, or its address in an object store.

    Raises:
        MissingFile: There is no such file.
        MissingPackage: pyarrow is missing.
        PackedImagesError: It is no parquet file, or has no column of images, or no row.
    """

    def __init__(self, place: str | os.PathLike) -> None:
        self.folder = as_path(place)
        if reason := why_no_file(self.folder):
            raise MissingFile(f'{self.folder}: {reason}')
        self._time = self.folder.stat().st_mtime_ns
        self._lock = threading.Lock()
        self._held: OrderedDict[int, Any] = OrderedDict()
        self._file = _open(place)
        self.column, self._has_paths = self._find_column()
        try:
            groups = [self._file.metadata.row_group(group).num_rows
                      for group in range(self._file.num_row_groups)]
            self._rows = dict(zip(self._names(sum(groups)), (
                (group, row) for group, rows in enumerate(groups) for row in range(rows)),
                strict=True))
        except (OSError, ValueError) as error:
            raise self._damaged(error) from error
        if not self._rows:
            raise PackedImagesError(f'{self.folder}: no row in it')

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[str]:
        """Yield the names of all images, in the order of the rows."""
        return iter(self._rows)

    def read(self, name: str) -> bytes:
        """Read the bytes of an image.

        Raises:
            MissingFile: There is no such image.
            PackedImagesError: Its row holds none, or the file is damaged there.
        """
        if name not in self._rows:
            raise MissingFile(f'{self.folder}: no image {name!r} in its {len(self)} rows')
        group, row = self._rows[name]
        try:
            with self._lock:
                data = self._group(group)[row].as_py()
        except (OSError, ValueError, IndexError) as error:  # fewer rows than its table says
            raise self._damaged(error) from error
        if data is None:
            raise PackedImagesError(f'{self.folder}: the row of {name!r} holds no image, or the '
                                    'path of one alone')
        return data

    def stat(self, name: str) -> RemoteStat | None:
        """Return size and time of change of an image, which is that of the file; or None."""
        return RemoteStat(len(self.read(name)), self._time) if name in self._rows else None

    def below(self, top: str) -> Iterator[tuple[str, RemoteStat]]:
        """Yield name, size and time of change of what is below a name."""
        for name in self:
            if not top or name.startswith(f'{top}/'):
                yield name, self.stat(name)

    def _group(self, group: int) -> Any:
        """Return the images of a group of rows."""
        import pyarrow
        if group not in self._held:
            column = f'{self.column}.bytes' if self._has_paths is not None else self.column
            read = [batch.column(0) for batch in self._file.iter_batches(
                _AT_ONCE, row_groups=[group], columns=[column])]
            self._held[group] = pyarrow.chunked_array(
                read if self._has_paths is None else [images.field('bytes') for images in read])
            if len(self._held) > _HELD:
                self._held.popitem(last=False)
        return self._held[group]

    def _find_column(self) -> tuple[str, bool | None]:
        """Find the column of images, and whether it holds paths too; None if it is plain bytes.

        Raises:
            PackedImagesError: There is none, or several of no known name.
        """
        import pyarrow.types as types
        found: dict[str, bool | None] = {}
        for field in self._file.schema_arrow:
            parts = ({part.name: part.type for part in field.type} if types.is_struct(field.type)
                     else {})
            if any(map(_is_bytes, (field.type, parts.get('bytes')))):
                found[field.name] = 'path' in parts if parts else None
        named = [name for name in IMAGE_COLUMNS if name in found] or [*found]
        if not named or len(named) > 1 and named[0] not in IMAGE_COLUMNS:
            said = f'columns of bytes are {", ".join(named)}' if named else 'no column of images'
            raise PackedImagesError(
                f'{self.folder}: {said}; one called {" or ".join(IMAGE_COLUMNS)} is looked for, of '
                f'bytes or of bytes and path. It has {", ".join(self._file.schema_arrow.names)}')
        return named[0], found[named[0]]

    def _names(self, rows: int) -> list[str]:
        """Return the name of each row's image."""
        numbers = [f'{row:09d}.jpg' for row in range(rows)]
        if not self._has_paths:
            return numbers
        names = [name for batch in self._file.iter_batches(columns=[f'{self.column}.path'])
                 for name in batch.column(0).field('path').to_pylist()]
        tidy = [posixpath.normpath(name) if isinstance(name, str) else '' for name in names]
        alone = all(count == 1 for count in Counter(tidy).values())
        return tidy if alone and all(map(_is_name, tidy)) else numbers

    def _damaged(self, error: Exception) -> PackedImagesError:
        return PackedImagesError(f'{self.folder}: damaged; take a new copy ({first_line(error)})')


def _open(place: str | os.PathLike) -> Any:
    try:
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise MissingPackage('parquet needs pyarrow: pip install "mmtbps[search]"') from error
    try:
        return parquet.ParquetFile(open_bytes(place) if is_remote(place) else place,
                                   page_checksum_verification=True)
    except (OSError, ValueError) as error:
        raise PackedImagesError(f'{place}: no parquet file, or cut short ({first_line(error)})'
                                ) from error


def _is_bytes(kind: Any) -> bool:
    import pyarrow.types as types
    return kind is not None and (types.is_binary(kind) or types.is_large_binary(kind)
                                 or types.is_binary_view(kind))


def _is_name(name: str) -> bool:
    """Tell whether a path may be the name of an image in the file."""
    parts = name.split('/')
    return is_image(name) and not name.startswith('/') and '\\' not in name and (
        '\0' not in name) and not any(
            part.startswith('.') or is_packed_name(part) or part.endswith(SUFFIX) for part in parts)
