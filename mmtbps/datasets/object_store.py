"""Images in object stores, for everything that reads through MMEngine.

Importing this module registers the addresses ``s3://``, ``gs://``, ``az://`` and others with
``mmengine.fileio``, by which mmcv's ``LoadImageFromFile`` reads. MMEngine's own ``s3://`` stays
where its client is installed, and its own ``https://`` where fsspec cannot read one.
"""

import importlib.util
import os

from mmengine.fileio import BaseStorageBackend, register_backend

from mmtbps.fileio import as_path
from mmtbps.fileio.store_errors import SCHEMES

__all__ = ['ObjectStoreBackend']


class ObjectStoreBackend(BaseStorageBackend):
    """Storage backend of MMEngine for object stores, which reads a file whole."""

    def get(self, filepath: str | os.PathLike) -> bytes:
        """Read the bytes of a file.

        Raises:
            MissingFile, StoreError: As in `mmtbps.fileio.store_errors.explained_store`.
        """
        return as_path(filepath).read_bytes()

    def get_text(self, filepath: str | os.PathLike, encoding: str = 'utf-8') -> str:
        """Read the same as text."""
        return as_path(filepath).read_text(encoding)


def _prefixes() -> list[str]:
    """List the prefixes that no client of MMEngine's own reads."""
    there = {name: importlib.util.find_spec(package) is not None for name, package in dict(
        s3='petrel_client', http='aiohttp').items()}
    return [name for name in SCHEMES if not (name == 's3' and there['s3'])
            and not (name.startswith('http') and not there['http'])]


register_backend('object_store', ObjectStoreBackend, prefixes=_prefixes(), force=True)
