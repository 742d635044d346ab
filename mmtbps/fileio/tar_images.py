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


class WholeHeader(tarfile.TarInfo):
    """A header that must be whole, or the end mark: tarfile takes a broken one for the end."""

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> tarfile.TarInfo:
        try:
            return super().fromtarfile(tarfile_)
        except tarfile.EOFHeaderError:
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f'{error} at byte {tarfile_.offset:,}') from error


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
        PackedImagesError: It is no tar file, compressed, cut short, or holds no image.
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
        found: dict[bytes, tuple[int, int]] = {}
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
                    if reason := _refusal(member, name):
                        self.left_out[name] = reason
                    else:
                        found[name.encode()] = (member.offset_data, member.size)
        except TAR_FAULTS as error:
            raise PackedImagesError(f'{self.folder}: no uncompressed tar file, or damaged '
                                    f'({first_line(error)})') from error
        dtype = index_dtype(max(map(len, found), default=1))
        return np.array([(name, *found[name], 0) for name in sorted(found)], dtype=dtype)

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
        name.encode()
    except UnicodeEncodeError:
        return 'its name is no UTF-8'
    return None
