"""Images of a tar shard that another program wrote, such as those of `webdataset`."""

import lzma
import posixpath
import tarfile
import zlib

import numpy as np

from mmtbps.errors import MissingFile, first_line

from .image_files import is_image
from .object_stores import AnyPath, is_remote
from .opened_files import open_bytes
from .packed_addresses import SUFFIX, is_packed_name
from .packed_images import PackedImages, PackedImagesError, PackedShard, index_dtype
from .regular_files import why_no_file

__all__ = ['TAR_FAULTS', 'TarImages', 'WholeHeader']

#: What a file that is no tar file, or a damaged one, makes tarfile raise.
TAR_FAULTS = (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError)
# More than any file has; a place in a file is a number of 63 bits.
_MOST_BYTES = 2**60
# Of a name; systems take no longer path, and the index has room of the longest for each.
_LONGEST = 4096
# Behind the end mark zeros fill a record, whose size is the writer's choice.
_FILLED = 2**21


class WholeHeader(tarfile.TarInfo):
    """A header that must be whole, or the end mark: tarfile takes a broken one for the end.

    Of a size below 0 it would go back, and read the same headers for ever.
    """

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> tarfile.TarInfo:
        try:
            member = super().fromtarfile(tarfile_)
        except tarfile.EOFHeaderError:
            raise
        except (tarfile.HeaderError, OverflowError, RecursionError) as error:
            raise tarfile.ReadError(f'{error} at byte {tarfile_.offset:,}') from error
        if not 0 <= member.size < _MOST_BYTES:
            raise tarfile.ReadError(f'a member of {member.size:,} bytes before byte '
                                    f'{tarfile_.offset:,}')
        return member


class TarImages(PackedImages):
    """Reader of the images of one uncompressed tar file, by their names in it.

    Where they lie is found from the headers, when it is opened; of a file in an object store all of
    it passes by then. Names that begin with a dot are passed over, as in a folder. An image has the
    time of change that the file had when it was opened.

    Args:
        folder: The file, or its address in an object store.

    Attributes:
        left_out: Reason by name of each image that is not read.

    Raises:
        MissingFile: There is no such file.
        PackedImagesError: It is no tar file, compressed, cut short, several that were joined, or
            holds no image.
    """

    def _find_shards(self) -> list[PackedShard]:
        self.left_out: dict[str, str] = {}
        if reason := why_no_file(self.folder):
            raise MissingFile(f'{self.folder}: {reason}')
        if not self.folder.name.lower().endswith('.tar'):
            raise PackedImagesError(f'{self.folder}: of a compressed shard no single image can be '
                                    'read; unpack it to .tar (gunzip)')
        self._time = self.folder.stat().st_mtime_ns
        index = self._scan()
        if not len(index) and not self.left_out:
            raise PackedImagesError(f'{self.folder}: no image in it; is it a shard?')
        return [PackedShard(self.folder, index)]

    def _scan(self) -> np.ndarray:
        """Read the headers; the last of equal names counts, as tar has it."""
        found: dict[str, tuple[int, int]] = {}
        try:
            # Of a store a stream, in which nothing is sought.
            with open_bytes(self.folder) as content, tarfile.open(
                    fileobj=content, mode='r|' if is_remote(self.folder) else 'r:',
                    tarinfo=WholeHeader, encoding='utf-8', errors='surrogateescape') as shard:
                for member in shard:
                    shard.members.clear()  # it would hold all of them
                    name = posixpath.normpath(member.name)
                    if not is_image(name) or member.isdir() or _is_hidden(name):
                        continue
                    found.pop(name, None)
                    self.left_out.pop(name, None)
                    if reason := _refusal(member, name):
                        self.left_out[name] = reason
                    else:
                        found[name] = (member.offset_data, member.size)
                if shard.fileobj.read(_FILLED).strip(b'\0'):
                    raise tarfile.ReadError('more follows its end mark, as if files were joined')
        except TAR_FAULTS as error:
            raise PackedImagesError(f'{self.folder}: no uncompressed tar file, or damaged '
                                    f'({first_line(error)})') from error
        entries = sorted((name.encode(), *where, 0) for name, where in found.items())
        return np.array(entries, dtype=index_dtype(max((len(name) for name, *_ in entries),
                                                       default=1)))

    def _check(self, data: bytes, name: str, tar: AnyPath, entry: np.void) -> None:
        if len(data) != entry['size']:
            raise PackedImagesError(f'{tar}: ends within {name!r}; it was cut short')

    def _changed(self, shard: AnyPath) -> int | None:
        return self._time


def _is_hidden(name: str) -> bool:
    return any(part.startswith('.') and part != '..' for part in name.split('/'))


def _refusal(member: tarfile.TarInfo, name: str) -> str | None:
    """Return the reason why a member is not read, ``None`` if it is."""
    folders = name.split('/')[:-1]
    if name.startswith('/') or '..' in folders or '\\' in name or '\0' in name:
        return 'its name leads out of the shard'
    if any(is_packed_name(part) or part.endswith(SUFFIX) for part in folders):
        return 'a folder of its name is called as a shard is'
    if not member.isreg() or member.issparse():
        return 'no plain file'
    try:
        return 'its name is too long' if len(name.encode()) > _LONGEST else None
    except UnicodeEncodeError:
        return 'its name is no UTF-8'
