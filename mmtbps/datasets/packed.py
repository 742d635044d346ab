"""Packed images in data sets: mmcv's ``LoadImageFromFile`` reads them by their paths.

Importing this module registers the prefixes of `mmtbps.fileio.packed_addresses` with
``mmengine.fileio``.
"""

import os

from mmengine.fileio import BaseStorageBackend, register_backend

from mmtbps.errors import MissingFile
from mmtbps.fileio.packed_addresses import (
    SUFFIX,
    absolute_path,
    image_path,
    packed_path,
    split_packed,
)
from mmtbps.fileio.packed_images import PackedImages, PackedImagesError, index_dtype, read_shard
from mmtbps.fileio.packed_sources import open_packed
from mmtbps.fileio.store_errors import PACKED_SCHEMES

__all__ = ['SUFFIX', 'PackedImages', 'PackedImagesBackend', 'PackedImagesError', 'absolute_path',
           'image_path', 'index_dtype', 'open_packed', 'packed_path', 'read_shard', 'split_packed']


@register_backend('packed', prefixes=[*PACKED_SCHEMES])
class PackedImagesBackend(BaseStorageBackend):
    """Storage backend of MMEngine for packed images.

    It reads ``mmengine.fileio.get('packed://imgs.tars/a.jpg')``.
    """

    def get(self, filepath: str | os.PathLike) -> bytes:
        """Read the bytes of an image; raises as :meth:`PackedImages.read` does."""
        parts = split_packed(str(filepath))
        if parts is None:
            raise MissingFile(f'{filepath}: a packed image has a path like '
                              f'{image_path("FOLDER" + SUFFIX, "NAME")}')
        return open_packed(parts[0]).read(parts[1])

    def get_text(self, filepath: str | os.PathLike, encoding: str = 'utf-8') -> str:
        """Read the same as text, for completeness."""
        return self.get(filepath).decode(encoding)
